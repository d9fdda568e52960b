"""Programs that are forks behave as if `python` had started them."""

from __future__ import annotations

import subprocess

import pytest

from tests.support import forks
from tests.support.eventually import HANG
from tests.support.surroundings import clean_environment


def run(program: str, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
    return forks.run(["-c", program, *arguments], environment, stdin=stdin, timeout=HANG)


def test_a_program_has_its_streams_arguments_and_exit_code() -> None:
    ended = run(
        "import sys; print(sys.argv, sys.stdin.read(), __name__); print('no', file=sys.stderr); sys.exit(3)",
        "one",
        stdin="नमस्ते",
    )
    assert (ended.returncode, ended.stdout, ended.stderr) == (3, "['-c', 'one'] नमस्ते __main__\n", "no\n")


def test_each_program_has_an_environment_and_a_session_of_its_own() -> None:
    show = "import os; print(os.environ.get('ONE'), os.environ.get('TWO'), os.getsid(0) == os.getpid())"
    assert run(show, ONE="1").stdout == "1 None True\n"
    assert run(show, TWO="2").stdout == "None 2 True\n"


def test_an_error_is_a_traceback_and_a_signal_a_negative_code() -> None:
    failed = run("raise ValueError('why')")
    assert failed.returncode == 1
    assert failed.stderr.endswith("ValueError: why\n")
    assert run("import os, signal; os.kill(os.getpid(), signal.SIGTERM)").returncode == -15


@pytest.mark.skipif(
    any(name.startswith(forks.READ_AT_START) for name in clean_environment()),
    reason="with a variable that the interpreter reads at its start, programs are no forks",
)
def test_the_project_is_imported_by_the_program_alone() -> None:
    show = "import sys; print(any(name.startswith('hunarmitra') for name in sys.modules), 'django.db' in sys.modules)"
    assert run(show).stdout == "False True\n"


def test_a_program_that_does_not_end_is_killed() -> None:
    with pytest.raises(subprocess.TimeoutExpired):
        forks.run(["-c", "import time; time.sleep(600)"], {}, stdin="", timeout=0.2)

"""The scripts that the chart carries, run as its pods run them."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import CHART
from tests.support.eventually import eventually

FILES = CHART / "files"


# ── reload.py ───────────────────────────────────────────────────────────────────────────────────────────────
@contextmanager
def reloading(folder: Path, command: list[str]) -> Iterator[Path]:
    """reload.py around a command, with its sources in `folder`; yields its output."""
    output = folder.parent / "output"
    environment = os.environ | {"RELOAD_SOURCES": str(folder), "PYTHONUNBUFFERED": "1"}
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, str(FILES / "reload.py"), *command], env=environment, stdout=stream, stderr=stream
        )
        try:
            yield output
            assert process.poll() is None, output.read_text()
        finally:
            process.terminate()
            process.wait()


def says(output: Path, text: str, times: int = 1) -> None:
    eventually(lambda: output.read_text().count(text) >= times, 60, f"{times} × {text!r} in the output")


@pytest.fixture
def sources(tmp_path: Path) -> Path:
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "program.py").write_text("import time\nprint('version 1')\ntime.sleep(1000)\n")
    return folder


def test_a_changed_source_restarts_the_command(sources: Path) -> None:
    program = sources / "program.py"
    with reloading(sources, [sys.executable, str(program)]) as output:
        says(output, "version 1")
        program.write_text(program.read_text().replace("1'", "2'"))
        says(output, "version 2")
        (sources / "page.html").write_text("<p>")
        says(output, "version 2", times=2)


def test_a_syntax_error_is_shown_and_the_command_stays(sources: Path) -> None:
    program = sources / "program.py"
    with reloading(sources, [sys.executable, str(program)]) as output:
        says(output, "version 1")
        good = program.read_text()
        program.write_text("def broken(:\n")
        says(output, "program.py:1: invalid syntax")
        assert output.read_text().count("version") == 1
        program.write_text(good.replace("1'", "3'"))
        says(output, "version 3")


def test_a_command_that_ends_is_started_at_the_next_change(sources: Path) -> None:
    program = sources / "program.py"
    with reloading(sources, [sys.executable, str(program)]) as output:
        says(output, "version 1")
        program.write_text("raise SystemExit(7)\n")
        says(output, "the command ended with 7")
        program.write_text("import time\nprint('version 4')\ntime.sleep(1000)\n")
        says(output, "version 4")


def test_a_file_that_vanishes_while_it_is_looked_at_is_left_out(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELOAD_SOURCES", str(sources))
    script = runpy.run_path(str(FILES / "reload.py"))
    (sources / "gone.py").symlink_to(sources / "nowhere.py")
    assert set(script["stamps"]()) == {sources / "program.py"}
    assert script["syntax_error"](sources / "nowhere.py") == ""


# ── wait.py ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_reason_to_wait_is_said_once(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(FILES / "wait.py"))
    answers = iter(["the database: refused", "the database: refused", "the database: starting up", "migrations", ""])
    script["CHECKS"]["database"] = lambda: next(answers)
    monkeypatch.setattr(script["time"], "sleep", lambda _: None)
    assert script["main"](["database"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "waiting for the database: refused",
        "waiting for migrations",
        "ready: database",
    ]


def test_an_absent_server_is_a_reason_of_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(FILES / "wait.py"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://a:b@127.0.0.1:1/c")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:1/0")
    for check, beginning in (("database", "the database: "), ("redis", "Redis: ")):
        reason = script["CHECKS"][check]()
        assert reason.startswith(beginning)
        assert "refused" in reason
        assert "\n" not in reason


# ── check_password.sh ───────────────────────────────────────────────────────────────────────────────────────
def check_password(folder: Path, password: str) -> subprocess.CompletedProcess[str]:
    shell = shutil.which("sh")
    assert shell is not None
    environment = os.environ | {"DATA": str(folder), "POSTGRES_PASSWORD": password, "CLAIM": "data-x-postgresql-0"}
    script = (FILES / "check_password.sh").read_text()
    return subprocess.run([shell, "-c", script], env=environment, capture_output=True, text=True, check=False)


def test_a_kept_volume_with_another_password_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    assert check_password(tmp_path, "one").returncode == 0
    assert check_password(tmp_path, "one").returncode == 0
    other = check_password(tmp_path, "two")
    assert other.returncode == 1
    assert "made with another password" in other.stdout
    assert "data-x-postgresql-0" in other.stdout
    assert check_password(tmp_path, "one").returncode == 0
    assert "one" not in (tmp_path / "password.sha256").read_text()


# ── round_trip.py ───────────────────────────────────────────────────────────────────────────────────────────
def test_helm_test_without_a_database_says_so_in_one_sentence() -> None:
    environment = os.environ | {
        "DATABASE_URL": "postgresql://a:b@127.0.0.1:1/c",
        "SECRET_KEY": "0" * 64,
        "DJANGO_SETTINGS_MODULE": "hunarmitra.settings",
        "ALLOWED_HOSTS": "x",
    }
    command = [sys.executable, str(FILES / "round_trip.py")]
    command += ["--http", "http://127.0.0.1:1", "--ws", "ws://127.0.0.1:1", "--host", "x"]
    result: Any = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.strip().splitlines()[-1].startswith("failed: the database does not answer: ")

"""The progress that `make setup` shows while pip installs a lock."""

from __future__ import annotations

import subprocess

import pytest

from tests.support.surroundings import REPOSITORY

COUNT = 45
PIP = "\n".join(
    [
        "Looking in indexes: https://example.org/simple",
        "Ignoring colorama: markers 'sys_platform == \"win32\"' don't match your environment",
        "Requirement already satisfied: pip==25.0 in ./.venv (from -r requirements/dev.txt (line 1)) (25.0)",
        *(f"Collecting package-{number}==1.{number} (from -r requirements/dev.txt (line 2))" for number in range(43)),
        "  Downloading package.whl (1.0 MB)",
        "Installing collected packages: package-1, package-2, package-3",
        "Successfully installed package-1-1.1",
    ]
)


def shown(terminal: str) -> str:
    command = ["awk", "-v", f"total={COUNT}", "-v", f"terminal={terminal}", "-f", "tools/progress.awk"]
    return subprocess.run(command, cwd=REPOSITORY, input=PIP.encode(), capture_output=True, check=True).stdout.decode()


def test_a_log_has_a_line_every_twenty_packages() -> None:
    assert shown("") == "  20 of 45 packages\n  40 of 45 packages\n  unpacking 3 packages\n"


@pytest.mark.parametrize("text", ["  1 of 45: colorama", "  2 of 45: pip", "  45 of 45: package-42"])
def test_a_terminal_has_one_line_that_changes(text: str) -> None:
    assert f"\r\033[K{text}\r" in shown("1")
    assert "Looking" not in shown("1")

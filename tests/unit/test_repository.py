"""Rules for every file of the repository."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY

MOST_LINES = 420
FORBIDDEN = {
    "the path of one machine": r"(?<![\w.~-])/(?:work|root)/",
    "an unfinished note": r"\b(?:TODO|FIXME|XXX)\b",
    "a promise instead of a feature": r"coming soon",
    "the address of a package registry": r"registry\.npmjs|files\.pythonhosted|proxy\.golang",
}
GENERATED = {"package-lock.json"}


def tracked_files() -> list[Path]:
    """Return the committed files, and new ones that git does not ignore."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    if result.returncode:
        pytest.skip("not a git checkout")
    paths = (REPOSITORY / name for name in result.stdout.split("\0") if name)
    return [path for path in paths if path.is_file() and path != Path(__file__)]


def text_of(path: Path) -> str:
    try:
        return path.read_text()
    except UnicodeDecodeError:
        return ""


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_has(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what], re.IGNORECASE if what.startswith("a promise") else 0)
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}: {line.strip()}"
        for path in tracked_files()
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if pattern.search(line)
    ]
    assert not found, f"{what}:\n" + "\n".join(found)


def test_python_files_hold_one_idea_each() -> None:
    lengths = {path: len(text_of(path).splitlines()) for path in tracked_files() if path.suffix == ".py"}
    long = [
        f"{path.relative_to(REPOSITORY)}: {length} lines" for path, length in lengths.items() if length > MOST_LINES
    ]
    assert not long, f"over {MOST_LINES} lines:\n" + "\n".join(long)


@pytest.mark.parametrize("folder", ["services", "services/http", "services/ws", "operator"])
def test_folders_named_as_standard_modules_are_no_packages(folder: str) -> None:
    """With an `__init__.py`, `import http` or `import operator` could import the project's folder."""
    assert not (REPOSITORY / folder / "__init__.py").exists()


def test_text_files_end_with_a_newline_and_use_unix_line_ends() -> None:
    wrong = [
        str(path.relative_to(REPOSITORY))
        for path in tracked_files()
        if path.name not in GENERATED and (text := text_of(path)) and (not text.endswith("\n") or "\r" in text)
    ]
    assert not wrong


def test_locks_agree_on_every_shared_package() -> None:
    pinned: dict[str, set[str]] = {}
    for lock in (REPOSITORY / "requirements").glob("*.txt"):
        for line in lock.read_text().splitlines():
            if match := re.match(r"([a-z0-9._-]+)(?:\[[^]]*])?==([^ ;]+)(?: ; ([^\\]+))?", line):
                pinned.setdefault(f"{match[1]} {(match[3] or '').strip()}", set()).add(match[2])
    assert pinned
    assert {name: versions for name, versions in pinned.items() if len(versions) > 1} == {}


def test_locks_are_installed_as_they_are() -> None:
    """Without `--no-deps`, pip 23 rejects a complete lock if an extra such as `coverage[toml]` has a newer version."""
    found = [
        f"{path.relative_to(REPOSITORY)}:{number}"
        for path in tracked_files()
        if path.name in {"Makefile", "Dockerfile"} or path.suffix == ".md"
        for number, line in enumerate(text_of(path).splitlines(), 1)
        if "--require-hashes" in line and "--no-deps --require-hashes" not in line
    ]
    assert not found

"""Follow the tutorials for contributors to the letter: in a copy of the repository, with their commands."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.documents import Block, blocks
from tests.support.surroundings import REPOSITORY, clean_environment

TUTORIALS = ("contributing/add-an-event-type.md", "contributing/add-an-endpoint.md")
"""In the order in which a reader follows them: the second one builds on the first."""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """The files that Git knows, as they are in the working tree, beside the environment that `make setup` made."""
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    clone = tmp_path / "clone"
    for name in listed.stdout.split("\0"):
        source = REPOSITORY / name
        if name and source.is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, clone / name, follow_symlinks=False)
    (clone / ".venv").symlink_to(Path(sys.executable).parent.parent, target_is_directory=True)
    # Older than the environment: make has nothing to install.
    for path in [clone / "pyproject.toml", *(clone / "requirements").iterdir()]:
        os.utime(path, (0, 0))
    return clone


def edit(clone: Path, block: Block) -> None:
    """Replace the context and the removed lines of a difference by its context and its added lines."""
    lines = block.text.splitlines(keepends=True)
    before = "".join(line[1:] for line in lines if line[0] != "+")
    after = "".join(line[1:] for line in lines if line[0] != "-")
    file = clone / block.title
    text = file.read_text()
    assert text.count(before) == 1, f"{block.title} has these lines {text.count(before)} times, not once:\n{before}"
    file.write_text(text.replace(before, after))


def run(clone: Path, commands: str) -> None:
    """Run a shell block at the top of the copy. Its packages come before those of the environment's own project."""
    packages = os.pathsep.join(str(clone / folder) for folder in (".", "services/http", "services/ws"))
    ended = subprocess.run(
        ["bash", "-e", "-c", commands],
        cwd=clone,
        env=clean_environment({"PYTHONPATH": packages}),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{commands}\n{ended.stdout}"


def follow(clone: Path, page: str) -> None:
    for block in blocks(page):
        if block.language == "bash":
            run(clone, block.text)
        elif block.language == "diff":
            edit(clone, block)
        else:
            assert block.title, f"{page}: say which file this block is"
            (clone / block.title).parent.mkdir(parents=True, exist_ok=True)
            (clone / block.title).write_text(block.text)


@pytest.mark.slow
@pytest.mark.timeout(1800)  # it runs test sessions of its own
def test_the_tutorials_work_as_written(clone: Path) -> None:
    for page in TUTORIALS:
        follow(clone, page)
    # `make fix`, the last step, had nothing to change: the code is shown as it is formatted.
    for block in (block for page in TUTORIALS for block in blocks(page) if block.title):
        added = "".join(line[1:] for line in block.text.splitlines(keepends=True) if line[0] == "+")
        assert (added if block.language == "diff" else block.text) in (clone / block.title).read_text(), block.title
    assert '"booking_delayed"' in (clone / "docs" / "asyncapi.json").read_text()
    assert "'booking_delayed'" in (clone / "clients" / "js" / "src" / "events.d.ts").read_text()


def test_a_difference_whose_place_is_gone_says_so(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("one\ntwo\ntwo\n")
    edit(tmp_path, Block("diff", "a.py", " one\n-two\n+three\n two\n"))
    assert (tmp_path / "a.py").read_text() == "one\nthree\ntwo\n"
    with pytest.raises(AssertionError, match="has these lines 0 times"):
        edit(tmp_path, Block("diff", "a.py", "-four\n"))

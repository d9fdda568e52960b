"""`make dev`: the files that restart the server, and the effect of a syntax error."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.support.surroundings import REPOSITORY
from tools.reload import changes, syntax_errors, times


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in (
        "hunarmitra/a.py",
        "services/http/page.html",
        "clients/js/src/index.js",
        "hunarmitra/__pycache__/b.py",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
    return tmp_path


def test_the_sources_of_what_is_served_are_watched() -> None:
    seen = {str(path.relative_to(REPOSITORY)) for path in times()}
    assert {"hunarmitra/settings.py", "services/ws/hunarmitra_ws/__main__.py", "clients/js/src/index.js"} <= seen
    assert not [path for path in seen if "__pycache__" in path or path.startswith(("tests", ".venv"))]


def test_a_new_a_changed_and_a_removed_file_are_changes(tree: Path) -> None:
    before = times(tree)
    (tree / "hunarmitra" / "new.py").write_text("")
    os.utime(tree / "hunarmitra" / "a.py", ns=(1, 1))
    (tree / "services" / "http" / "page.html").unlink()
    (tree / "hunarmitra" / "notes.txt").write_text("")
    (tree / "hunarmitra" / "__pycache__" / "b.py").unlink()
    found = [str(path.relative_to(tree)) for path in changes(before, times(tree))]
    assert found == ["hunarmitra/a.py", "hunarmitra/new.py", "services/http/page.html"]
    assert changes(before, before) == []


def test_settings_in_an_env_file_count(tree: Path) -> None:
    before = times(tree)
    (tree / ".env").write_text("LOG_LEVEL=DEBUG\n")
    assert changes(before, times(tree)) == [tree / ".env"]


def test_a_syntax_error_is_shown_with_its_place(tmp_path: Path) -> None:
    wrong, right = tmp_path / "wrong.py", tmp_path / "right.py"
    wrong.write_text("x = (1,\n")
    right.write_text("x = 1\n")
    shown = syntax_errors([wrong, right, tmp_path / "gone.py", tmp_path / "page.html"])
    assert f'File "{wrong}", line 1' in shown
    assert "SyntaxError: '(' was never closed" in shown
    assert syntax_errors([right]) == ""

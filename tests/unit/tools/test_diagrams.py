"""The documents' diagrams: each is up to date, each text fits, and a wrong source is named."""

from __future__ import annotations

import shutil
import tomllib
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tools import diagrams

SOURCES = sorted(diagrams.FOLDER.glob("*.toml"))


def source(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text())


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_each_text_of_a_box_fits_into_it(path: Path) -> None:
    for box in source(path).get("box", []):
        _, _, width, height = (diagrams.UNIT * number for number in box["place"])
        assert max(map(len, box["lines"])) * diagrams.CHARACTER * 12 / 13 <= width + diagrams.UNIT / 2, box["id"]
        assert 17 * len(box["lines"]) + 10 <= height, box["id"]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_a_picture_is_an_svg_document_with_a_title_and_both_colour_schemes(path: Path) -> None:
    drawn = diagrams.render(source(path))
    root = ElementTree.fromstring(drawn)  # noqa: S314 - our own file
    title = root.find("{http://www.w3.org/2000/svg}title")
    assert title is not None
    assert title.text == source(path)["title"]
    assert "prefers-color-scheme:dark" in drawn


def test_a_changed_source_is_found_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in diagrams.FOLDER.iterdir():
        shutil.copy(path, tmp_path)
    monkeypatch.setattr(diagrams, "FOLDER", tmp_path)
    assert diagrams.main(["--check"]) == 0
    changed = tmp_path / "system.toml"
    changed.write_text(changed.read_text().replace("scales and drains", "moves"))
    assert diagrams.main(["--check"]) == 1
    assert "system.svg out of date: run make diagrams" in capsys.readouterr().err
    assert diagrams.main([]) == 0
    assert diagrams.main(["--check"]) == 0


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"from": "b.left", "to": "a.left"}, "there is no box 'b'"),
        ({"from": "a.middle", "to": "a.left"}, "'middle' is not a side"),
    ],
)
def test_a_wrong_arrow_is_named(wrong: dict[str, str], sentence: str) -> None:
    drawing = {"title": "t", "box": [{"id": "a", "place": [0, 0, 4, 2], "lines": ["a"]}], "arrow": [wrong]}
    with pytest.raises(diagrams.DiagramError, match=sentence):
        diagrams.render(drawing)


def test_a_message_between_unknown_participants_is_named() -> None:
    drawing = {"title": "t", "step": 8, "participants": ["a"], "message": [{"from": "a", "to": "b", "text": "x"}]}
    with pytest.raises(diagrams.DiagramError, match="no participant 'b'"):
        diagrams.render(drawing)

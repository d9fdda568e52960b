"""Draw the diagrams of the documents: ``docs/pictures/NAME.toml`` becomes ``docs/pictures/NAME.svg``.

``make diagrams`` runs this module; ``--check`` compares the files with its output. A picture has both colour schemes
and follows the reader's. It has its own background, so it is readable on a page that was switched to the other scheme.

There are two kinds. A *map* has boxes and arrows between their sides, in units of a grid. A *sequence* has one line for
each participant and one message a row. Text is never measured: the source gives the sizes, and a test checks them.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

FOLDER: Final = Path(__file__).parents[1] / "docs" / "pictures"

UNIT: Final = 20
"""Pixels of one unit of the grid."""

CHARACTER: Final = 7.3
"""Pixels that a character of a label takes at most, on average."""

_LINE: Final = 17
_ROW: Final = 46
_HEAD: Final = 46

_STYLE: Final = """\
:root{--paper:#fff;--ink:#1f2933;--soft:#52606d;--process:#e3f4f1;--store:#fdf0d5;--outside:#eef1f5;--line:#0f766e}
@media(prefers-color-scheme:dark){:root{--paper:#1b2430;--ink:#e8edf3;--soft:#b6c2cf;--process:#15433f;--store:#4a3a16;\
--outside:#2d3948;--line:#5eead4}}
.paper{fill:var(--paper)}.process{fill:var(--process)}.store{fill:var(--store)}.outside{fill:var(--outside)}
rect{stroke:var(--soft)}.paper,.under{stroke:none}.under{fill:var(--paper)}
text{font:13px system-ui,sans-serif;fill:var(--ink)}.title{font-weight:600}.label{fill:var(--soft);font-size:12px}
.line{stroke:var(--line);stroke-width:1.6;fill:none}.dashed{stroke-dasharray:5 4}
.life{stroke:var(--soft);stroke-dasharray:2 4}
marker path{fill:var(--line)}"""

_ARROW_HEAD: Final = (
    '<marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0 0L8 4L0 8z"/></marker>'
)


class DiagramError(Exception):
    """A source that cannot be drawn; the message names the entry."""


@dataclass(frozen=True)
class Box:
    """A box of a map: place and size in pixels."""

    x: float
    y: float
    width: float
    height: float

    def side(self, name: str, at: float) -> tuple[float, float]:
        """Return the point of a side, at a fraction of its length."""
        match name:
            case "left":
                return self.x, self.y + at * self.height
            case "right":
                return self.x + self.width, self.y + at * self.height
            case "top":
                return self.x + at * self.width, self.y
            case "bottom":
                return self.x + at * self.width, self.y + self.height
            case _:
                raise DiagramError(f"{name!r} is not a side: left, right, top or bottom")


def render(source: dict[str, Any]) -> str:
    """Return the SVG document of a parsed source.

    Raises:
        DiagramError: The source names a box, a side or a participant that does not exist.
    """
    draw = _map if "box" in source else _sequence
    width, height, parts = draw(source)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" width="{width:g}" role="img">',
        f"<title>{escape(source['title'])}</title>",
        f"<style>{_STYLE}</style>",
        f"<defs>{_ARROW_HEAD}</defs>",
        f'<rect class="paper" width="{width:g}" height="{height:g}" rx="8"/>',
        *parts,
        "</svg>",
    ]
    return "\n".join(lines) + "\n"


def _map(source: dict[str, Any]) -> tuple[float, float, list[str]]:
    boxes: dict[str, Box] = {}
    parts: list[str] = []
    for entry in source["box"]:
        box = Box(*(UNIT * number for number in entry["place"]))
        boxes[entry["id"]] = box
        parts += _box(box, entry["lines"], entry.get("kind", "process"))
    for entry in source.get("arrow", []):
        start, end = _end(boxes, entry["from"]), _end(boxes, entry["to"])
        parts.append(_line(start, end, dashed=entry.get("dashed", False)))
        if label := entry.get("label"):
            at = entry.get("label_at", 0.5)
            parts += _label(start[0] + at * (end[0] - start[0]), start[1] + at * (end[1] - start[1]), label)
    width = max(box.x + box.width for box in boxes.values()) + UNIT
    height = max(box.y + box.height for box in boxes.values()) + UNIT
    return width, height, parts


def _box(box: Box, lines: list[str], kind: str) -> Iterator[str]:
    yield f'<rect class="{kind}" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="6"/>'
    top = box.y + (box.height - _LINE * len(lines)) / 2 + 13
    for number, line in enumerate(lines):
        style = "title" if number == 0 else "label"
        yield _text(box.x + box.width / 2, top + _LINE * number, line, style)


def _end(boxes: dict[str, Box], name: str) -> tuple[float, float]:
    """Return the point that ``box.side`` or ``box.side.fraction`` names."""
    box, _, rest = name.partition(".")
    side, _, fraction = rest.partition(".")
    if box not in boxes:
        raise DiagramError(f"{name!r}: there is no box {box!r}")
    return boxes[box].side(side, float(f"0.{fraction}") if fraction else 0.5)


def _sequence(source: dict[str, Any]) -> tuple[float, float, list[str]]:
    step = UNIT * source["step"]
    names: list[str] = source["participants"]
    at = {name: step / 2 + step * number for number, name in enumerate(names)}
    height = _HEAD + _ROW * len(source["message"]) + UNIT
    parts: list[str] = []
    for name, x in at.items():
        parts.append(f'<line class="life" x1="{x:g}" y1="{_HEAD}" x2="{x:g}" y2="{height - 10:g}"/>')
        parts += _box(Box(x - step * 0.4, 8, step * 0.8, _HEAD - 14), [name], "process")
    for number, entry in enumerate(source["message"]):
        y = _HEAD + _ROW * number + 34
        if note := entry.get("note"):
            over = [at[name] for name in _known(entry["over"], at)]
            parts += _label((min(over) + max(over)) / 2, y - 6, note)
            continue
        start, end = (at[name] for name in _known([entry["from"], entry["to"]], at))
        parts += _label((start + end) / 2, y - 12, entry["text"])
        parts.append(_line((start, y), (end, y), dashed=entry.get("dashed", False)))
    return step * len(names), height, parts


def _known(names: list[str], at: dict[str, float]) -> list[str]:
    for name in names:
        if name not in at:
            raise DiagramError(f"there is no participant {name!r}")
    return names


def _line(start: tuple[float, float], end: tuple[float, float], *, dashed: bool) -> str:
    style = "line dashed" if dashed else "line"
    points = f'x1="{start[0]:g}" y1="{start[1]:g}" x2="{end[0]:g}" y2="{end[1]:g}"'
    return f'<line class="{style}" {points} marker-end="url(#head)"/>'


def _label(x: float, y: float, text: str) -> Iterator[str]:
    """A text on a strip of the background, so that a line below it does not cross it."""
    width = CHARACTER * len(text) * 12 / 13
    yield f'<rect class="under" x="{x - width / 2:g}" y="{y - 9:g}" width="{width:g}" height="18"/>'
    yield _text(x, y + 4, text, "label")


def _text(x: float, y: float, text: str, style: str) -> str:
    return f'<text class="{style}" x="{x:g}" y="{y:g}" text-anchor="middle">{escape(text)}</text>'


def main(arguments: list[str] | None = None) -> int:
    """Write every picture, or with ``--check`` return 1 if one of them is out of date."""
    parser = argparse.ArgumentParser(prog="python -m tools.diagrams", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a picture is out of date")
    check = parser.parse_args(arguments).check
    stale = []
    for path in sorted(FOLDER.glob("*.toml")):
        picture, drawn = path.with_suffix(".svg"), render(tomllib.loads(path.read_text()))
        if picture.exists() and picture.read_text() == drawn:
            continue
        if check:
            stale.append(picture.name)
        else:
            picture.write_text(drawn)
    if stale:
        print(f"error: docs/pictures: {', '.join(stale)} out of date: run make diagrams", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())

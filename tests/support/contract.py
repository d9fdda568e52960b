"""Parts of the API contract, `docs/contract/*.md`: fenced blocks, tables, sentences."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.support.surroundings import REPOSITORY

FOLDER = REPOSITORY / "docs" / "contract"


@dataclass(frozen=True)
class Block:
    """A fenced code block and the nearest heading above it. `line` is where it starts."""

    language: str
    heading: str
    text: str
    line: int


@cache
def text_of(name: str) -> str:
    """Return the text of a page, `realtime-api.md` or `wire.md`."""
    return (FOLDER / name).read_text()


@cache
def blocks(name: str) -> tuple[Block, ...]:
    found: list[Block] = []
    heading, language, start = "", None, 0
    lines: list[str] = []
    for number, line in enumerate(text_of(name).splitlines(), 1):
        if line.startswith("```"):
            if language is None:
                language, start, lines = line.removeprefix("```").strip(), number, []
            else:
                found.append(Block(language, heading, "\n".join(lines), start))
                language = None
        elif language is not None:
            lines.append(line)
        elif line.startswith("#"):
            heading = line.lstrip("#").strip()
    assert language is None, f"{name}: the block of line {start} is not closed"
    return tuple(found)


def json_examples() -> list[tuple[str, Any]]:
    """Return heading and value of every JSON example of the API document, without its `// optional` comments."""
    examples = [block for block in blocks("realtime-api.md") if block.language == "json"]
    return [(block.heading, json.loads(re.sub(r"\s//.*$", "", block.text, flags=re.MULTILINE))) for block in examples]


def rows(name: str, first_header: str) -> list[list[str]]:
    """Return the cells of the table whose header row begins with `first_header`."""
    lines = text_of(name).splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith(f"| {first_header} |"))
    table = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        table.append([cell.strip() for cell in line.strip("|").split("|")])
    return table


@cache
def commands(name: str) -> tuple[str, ...]:
    """Return every line of every shell block, except comments: the reader's input and the output."""
    lines = [line.strip() for block in blocks(name) if block.language == "bash" for line in block.text.splitlines()]
    return tuple(line for line in lines if line and not line.startswith("#"))


@cache
def statements(name: str) -> tuple[str, ...]:
    """Return every statement of the page outside code: each sentence, list item and table row."""
    found: list[str] = []
    for paragraph in _paragraphs(name):
        if paragraph.startswith("|"):
            found.append(paragraph)
        else:
            found += re.split(r"(?<=[.;])\s+(?=[A-Z`])", paragraph)
    return tuple(found)


def _paragraphs(name: str) -> list[str]:
    """Yield paragraphs, list items and table rows, each as one line, without headings, rules and code blocks."""
    paragraphs: list[str] = []
    fenced, open_paragraph = False, False
    for line in text_of(name).splitlines():
        text = line.strip()
        if text.startswith("```"):
            fenced, open_paragraph = not fenced, False
        elif fenced or not text or text.startswith(("#", "---", "|---")):
            open_paragraph = False
        elif open_paragraph and not re.match(r"(-|\d+\.|\|) ", text):
            paragraphs[-1] += f" {text}"
        else:
            paragraphs.append(text)
            open_paragraph = not text.startswith("|")
    return paragraphs

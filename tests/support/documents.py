"""Code blocks of the project's pages, for the tests that run them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tests.support.surroundings import REPOSITORY

_BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced code block. `title` is the name of the file in which the reader saves it, or empty."""

    language: str
    title: str
    text: str


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """Return the blocks of `docs/<page>`, in order. Indented blocks, such as those in a list, are not found."""
    return tuple(Block(*found) for found in _BLOCK.findall((REPOSITORY / "docs" / page).read_text()))


def file_of(page: str, title: str) -> str:
    [text] = [block.text for block in blocks(page) if block.title == title]
    return text


def command_of(page: str, beginning: str) -> str:
    """Return the only shell block that begins with this text."""
    [text] = [block.text for block in blocks(page) if block.language == "bash" and block.text.startswith(beginning)]
    return text

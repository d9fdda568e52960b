"""The code on our own pages, for the tests that run it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from tests.support.processes import REPOSITORY

_BLOCK = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """Fenced code; `title` is the name of the file that the reader is to save it as, if there is one."""

    language: str
    title: str
    text: str


@cache
def blocks(page: str) -> tuple[Block, ...]:
    """Of `docs/<page>`, in order. Only what begins a line: code inside a list is not found."""
    return tuple(Block(*found) for found in _BLOCK.findall((REPOSITORY / "docs" / page).read_text()))


def file_of(page: str, title: str) -> str:
    [text] = [block.text for block in blocks(page) if block.title == title]
    return text


def command_of(page: str, beginning: str) -> str:
    """The one shell block that begins so."""
    [text] = [block.text for block in blocks(page) if block.language == "bash" and block.text.startswith(beginning)]
    return text

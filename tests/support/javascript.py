"""The string literals of JavaScript source, with the call that each is an argument of."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<comment> //[^\n]* | /\*.*?\*/ )
  | (?P<regex> (?<=[(,=:\[!&|?{};])\s*/(?![/*])(?:\\.|\[(?:\\.|[^\]\\])*\]|[^/\\\n])+/[a-z]* )
  | (?P<string> '(?:\\.|[^'\\])*' | "(?:\\.|[^"\\])*" )
  | (?P<template> ` )
  | (?P<open> [\w$.\#]*[(\[{] )
  | (?P<close> [)\]}] )
  | (?P<comma> , )
  | (?P<other> [\w$.\#]+ | . )
    """,
    re.VERBOSE | re.DOTALL,
)


@dataclass(frozen=True)
class Literal:
    """`text`: without quotes; each `${…}` of a template is one ``{}``."""

    text: str
    line: int
    call: str
    """The function, with its dots, that the literal is a direct argument of; empty elsewhere."""
    argument: int
    """Its number in that call, from 0."""
    before: str
    """The code before it in its line, for example ``'aria-label': ``."""


def literals(source: str) -> Iterator[Literal]:
    """Yield the string and template literals outside comments."""
    yield from _scan(source, 0, len(source), 1)


def _scan(source: str, at: int, end: int, line: int) -> Iterator[Literal]:
    stack: list[tuple[str, int]] = [("", 0)]
    while at < end:
        match = _TOKEN.match(source, at, end)
        assert match
        kind, text = str(match.lastgroup), match.group()
        after = match.end()
        if kind == "open":
            stack.append((text[:-1] if text.endswith("(") else "", 0))
        elif kind == "close" and len(stack) > 1:
            stack.pop()
        elif kind == "comma":
            stack[-1] = (stack[-1][0], stack[-1][1] + 1)
        elif kind in {"string", "template"}:
            before = source[source.rfind("\n", 0, at) + 1 : at]
            inner = text[1:-1]
            if kind == "template":
                inner, after, holes = _template(source, at)
                for start, stop in holes:
                    yield from _scan(source, start, stop, line + source.count("\n", at, start))
            yield Literal(inner, line, *stack[-1], before)
        line += source.count("\n", at, after)
        at = after


def _template(source: str, start: int) -> tuple[str, int, list[tuple[int, int]]]:
    """Return the text of the template literal at `start`, where it ends, and where its expressions are."""
    text, holes, at = "", [], start + 1
    while source[at] != "`":
        if source.startswith("${", at):
            stop = _closing(source, at + 2)
            holes.append((at + 2, stop))
            text, at = text + "{}", stop + 1
        else:
            width = 2 if source[at] == "\\" else 1
            text, at = text + source[at : at + width], at + width
    return text, at + 1, holes


def _closing(source: str, at: int) -> int:
    """Return the index of the brace that closes the expression at `at`."""
    depth = 0
    while True:
        if source[at] == "`":
            at = _template(source, at)[1]
            continue
        if source[at] == "}" and depth == 0:
            return at
        depth += {"{": 1, "}": -1}.get(source[at], 0)
        at += 1

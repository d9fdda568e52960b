"""Forbid words that readers whose first language is not English may not know; each has a plain replacement."""

from __future__ import annotations

import re
import subprocess
from typing import Final

import pytest

from tests.support.surroundings import REPOSITORY

PLAIN: Final = {
    "anew": "again (or: newly, replaced)",
    "whoever": "the person, process or client by name",
    "in earnest": "in production",
    "it were": "they were, or it was",
    "none of its": "not … of the …",
    "for ever": "forever, or: without limit",
    "is no": "is not a, or: has no",
    "by force and not by luck": "deterministically",
    "the news": "the message, or: notifies",
}
"""Each phrase with what to write instead."""

ALLOWED: Final = {"is no": (r"(?<!there\s)", r"(?! longer\b)")}
"""Contexts in which a phrase is allowed, before and after it: "there is no Redis", "it is no longer open"."""

SUFFIXES: Final = (".py", ".md", ".js", ".mjs", ".ts", ".html", ".css", ".yaml", ".yml", ".tpl", ".toml", "Makefile")
NOT_OURS: Final = ("docs/contract/", "tests/integration/document/coverage_", "tests/unit/test_words.py")
"""The contract keeps its wording, its coverage quotes it, and this file names the words."""


def texts() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    return [
        name
        for name in listed.stdout.split("\0")
        if name.endswith(SUFFIXES) and not name.startswith(NOT_OURS) and (REPOSITORY / name).is_file()
    ]


def pattern_of(phrase: str) -> re.Pattern[str]:
    """Return a pattern that also matches a phrase across lines, with the comment sign of the next line."""
    before, after = ALLOWED.get(phrase, ("", ""))
    return re.compile(rf"{before}(?<![\w-]){phrase}\b{after}".replace(" ", r"[\s#*/]+"), re.IGNORECASE)


PATTERNS: Final = [(pattern_of(phrase), phrase) for phrase in PLAIN]


def found_in(text: str) -> list[tuple[int, str]]:
    """Return line and phrase of each forbidden phrase."""
    return sorted(
        (text.count("\n", 0, found.start()) + 1, phrase) for known, phrase in PATTERNS for found in known.finditer(text)
    )


def test_texts_use_plain_words() -> None:
    problems = [
        f"{name}:{line}: instead of {phrase!r} write {PLAIN[phrase]}"
        for name in texts()
        for line, phrase in found_in((REPOSITORY / name).read_text())
    ]
    assert not problems, "\n" + "\n".join(problems)


@pytest.mark.parametrize(
    "text",
    [
        "it is made anew",
        "Whoever reads this",
        "run it in\nearnest",
        "how many it were",
        "# one that is\n# no booking",
        "* an event is\n   * no row",
        "it waits for ever",
    ],
)
def test_a_forbidden_phrase_is_found_across_lines_and_in_comments(text: str) -> None:
    assert len(found_in(text)) == 1


@pytest.mark.parametrize(
    "text", ["there is no Redis", "it is no longer open", "is not a booking", "renewed", "a link to settles-anew.md"]
)
def test_plain_phrases_are_not(text: str) -> None:
    assert found_in(text) == []

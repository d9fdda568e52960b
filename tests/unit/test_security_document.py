"""docs/security.md names files and tests that exist, and has every chapter and every risk of the two standards."""

from __future__ import annotations

import re

import pytest

from tests.support.surroundings import REPOSITORY

TEXT = (REPOSITORY / "docs" / "security.md").read_text()
PATH = re.compile(r"`([\w.-]+(?:/[\w.-]+)*\.\w+|[\w.-]+(?:/[\w.-]+)+/?)`")
ROW = re.compile(r"^\| (V[\d.]+(?: to V[\d.]+)?|API\d+) ?([^|]*)\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
NOT_FILES = {"service-worker.js"}


def named_paths() -> list[str]:
    return sorted({path for path in PATH.findall(TEXT) if "/" in path or path.endswith(".md")} - NOT_FILES)


@pytest.mark.parametrize("path", named_paths())
def test_a_file_that_is_named_exists(path: str) -> None:
    assert (REPOSITORY / path).exists()


def test_files_are_found() -> None:
    assert len(named_paths()) > 80


@pytest.mark.parametrize("chapter", range(1, 18))
def test_every_chapter_of_asvs_has_its_sections(chapter: int) -> None:
    assert re.search(rf"^### V{chapter} ", TEXT, re.MULTILINE)
    assert [row for row in ROW.findall(TEXT) if row[0].startswith(f"V{chapter}.")]


@pytest.mark.parametrize("risk", range(1, 11))
def test_every_risk_of_the_api_top_ten_is_judged(risk: int) -> None:
    assert [row for row in ROW.findall(TEXT) if row[0] == f"API{risk}"]


def test_each_row_has_what_shows_it_or_is_a_gap() -> None:
    rows = ROW.findall(TEXT)
    assert len(rows) > 60
    for name, title, state, shown in rows:
        assert state.strip(), name
        assert PATH.search(shown) or "**gap**" in state, (name, title)


def test_a_gap_in_a_table_is_in_the_list_of_gaps_or_says_its_remedy() -> None:
    gaps = TEXT[TEXT.index("## Known gaps") :]
    for word in ("second factor", "breaches", "signing key", "base images", "plain HTTP"):
        assert word in gaps

"""Each page of the documents says which of the four kinds it is: in the navigation, and on the docs' first page."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator
from typing import Any

import yaml

from tests.support.surroundings import REPOSITORY

KINDS = ["Tutorials", "How to", "Reference", "Explanation"]
WITHOUT_A_KIND = {"Home", "Overview"}


def navigation() -> list[dict[str, Any]]:
    text = (REPOSITORY / "mkdocs.yml").read_text()
    nav: list[dict[str, Any]] = yaml.safe_load(
        re.split(r"^(?=\w+:)", text.partition("\nnav:")[2], flags=re.MULTILINE)[0]
    )
    return nav


def pages_in(entry: Any) -> Iterator[str]:
    """The files of an entry, from the root of the repository."""
    if isinstance(entry, list):
        for each in entry:
            yield from pages_in(each)
    elif isinstance(entry, dict):
        for each in entry.values():
            yield from pages_in(each)
    elif entry.startswith("repository/"):
        yield entry.removeprefix("repository/")
    else:
        yield f"docs/{entry}README.md" if entry.endswith("/") else f"docs/{entry}"


def test_each_tab_has_its_pages_under_the_four_kinds_in_one_order() -> None:
    for tab in navigation():
        [(title, entries)] = tab.items()
        if title in WITHOUT_A_KIND:
            continue
        titles = [name for entry in entries for name in entry if name not in WITHOUT_A_KIND]
        assert titles == [kind for kind in KINDS if kind in titles], title


def test_the_first_page_has_the_same_pages_under_each_kind() -> None:
    listed: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for tab in navigation():
        for entry in next(iter(tab.values())):
            for kind in listed.keys() & entry if isinstance(entry, dict) else ():
                listed[kind] |= {*pages_in(entry)}
    rows = re.findall(
        r"^\| ([\w ]+) \| [^|]+ \| (.*\]\(.*) \|$", (REPOSITORY / "docs" / "README.md").read_text(), re.MULTILINE
    )
    assert [kind for kind, _ in rows] == KINDS
    for kind, cell in rows:
        links = [posixpath.normpath(f"docs/{target}") for target in re.findall(r"\]\(([^)]+)\)", cell)]
        assert len(links) == len({*links}), kind
        assert {*links} == listed[kind], kind


def test_no_page_is_in_the_navigation_twice() -> None:
    pages = [*pages_in(navigation())]
    assert sorted(pages) == sorted({*pages})

"""docs/configuration.md agrees with the code."""

from __future__ import annotations

import re
from dataclasses import fields

from hunarmitra.config.environment import Environment
from tests.support.surroundings import REPOSITORY
from tools.configuration import render


def test_the_committed_page_is_what_the_fields_say() -> None:
    page = (REPOSITORY / "docs" / "configuration.md").read_text()
    assert page == render(), "run `make docs-configuration`"


def test_every_variable_has_one_row_with_a_meaning() -> None:
    rows = re.findall(r"^\| `([A-Z_]+)`(?: †)? \| (.+?) \| (.+) \|$", render(), re.MULTILINE)
    assert [name for name, _, _ in rows] == [item.name.upper() for item in fields(Environment)]
    assert all(default and meaning.endswith(".") for _, default, meaning in rows)

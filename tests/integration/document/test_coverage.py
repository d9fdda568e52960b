"""Nothing of the two contract pages is skipped silently: every part is claimed by tests, and those tests exist."""

from __future__ import annotations

import ast
from collections import Counter
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pytest
from rest_framework_simplejwt import tokens as simplejwt

from hunarmitra.accounts import tokens
from tests.integration.document import coverage_additions, coverage_api, coverage_tokens, coverage_wire
from tests.support import contract
from tests.support.surroundings import REPOSITORY

TABLES = {
    "realtime-api.md": coverage_api.STATEMENTS,
    "wire.md": coverage_wire.STATEMENTS | coverage_additions.STATEMENTS | coverage_tokens.STATEMENTS,
}


def claims(key: str, statement: str) -> bool:
    return statement.startswith(key[:-1]) if key.endswith("…") else statement == key


@pytest.mark.parametrize("page", TABLES)
def test_every_statement_is_claimed(page: str) -> None:
    keys = list(TABLES[page])
    unclaimed = [said for said in contract.statements(page) if not any(claims(key, said) for key in keys)]
    stale = [key for key in keys if not any(claims(key, said) for said in contract.statements(page))]
    assert (unclaimed, stale) == ([], [])


def test_every_example_and_command_is_claimed() -> None:
    page = "realtime-api.md"
    numbers: Counter[tuple[str, str]] = Counter()
    examples = []
    for block in contract.blocks(page):
        if block.language != "bash":
            examples.append((block.heading, block.language, numbers[block.heading, block.language]))
            numbers[block.heading, block.language] += 1
    assert examples == list(coverage_api.BLOCKS)
    assert contract.commands(page) == tuple(coverage_api.COMMANDS)
    assert contract.blocks("wire.md") == ()


def all_claims() -> Iterable[tuple[str, str]]:
    tables: list[Mapping[str, tuple[str, ...]]] = [*TABLES.values(), coverage_api.COMMANDS]
    for table in tables:
        for part, tests in table.items():
            assert tests, f"nothing is named for {part!r}"
            yield from ((part, test) for test in tests)
    for block, tests in coverage_api.BLOCKS.items():
        yield from ((str(block), test) for test in tests)


@cache
def names_in(path: Path) -> str | frozenset[str]:
    """The names of a Python file's test functions, or the text of a JavaScript one."""
    if not path.exists():
        return frozenset()
    if path.suffix != ".py":
        return path.read_text()
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, functions))


def exists(test: str) -> bool:
    file, _, name = test.partition("::")
    path = REPOSITORY / file if file.startswith("clients/") else REPOSITORY / "tests" / file
    return name in names_in(path)


def test_every_test_that_is_named_exists() -> None:
    missing = sorted({test for _, test in all_claims() if not test.startswith("(") and not exists(test)})
    assert missing == []


def test_tokens_are_simplejwts() -> None:
    assert issubclass(tokens.AccessToken, simplejwt.AccessToken)
    assert issubclass(tokens.RefreshToken, simplejwt.RefreshToken)

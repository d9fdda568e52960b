"""No test fails because the machine is slow: generated examples have no deadline, and no test asserts a duration."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.processes import REPOSITORY

CLOCKS = {"steady", "monotonic", "perf_counter", "time"}
TESTS = [path for folder in ("tests", "operator/tests") for path in (REPOSITORY / folder).rglob("test_*.py")]


def test_generated_examples_have_no_deadline() -> None:
    assert settings().deadline is None
    assert HealthCheck.too_slow in settings().suppress_health_check


def test_the_operator_s_tests_use_the_same_profile() -> None:
    """The operator's tests have another environment, and cannot import this profile."""
    ours = REPOSITORY / "tests" / "support" / "generated_examples.py"
    theirs = REPOSITORY / "operator" / "tests" / "conftest.py"
    assert _profile(ours) == _profile(theirs) != []


def _profile(path: Path) -> list[str]:
    return [line for line in path.read_text().splitlines() if line.startswith("settings.")]


def _words(path: Path) -> list[str]:
    return [
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    ]


def test_schemathesis_is_bounded_by_examples_instead_of_time() -> None:
    tests = [path for path in TESTS if path != Path(__file__)]
    assert [str(path.relative_to(REPOSITORY)) for path in tests if "--max-time" in _words(path)] == []


def _is_duration(node: ast.expr) -> bool:
    """Whether it is the time of a clock minus something."""
    return (
        isinstance(node, ast.BinOp)
        and isinstance(node.op, ast.Sub)
        and isinstance(node.left, ast.Call)
        and ast.unparse(node.left.func).rpartition(".")[2] in CLOCKS
    )


def _is_fixed(node: ast.expr) -> bool:
    """Whether it is a number, or a constant of the module."""
    names = [each.id for each in ast.walk(node) if isinstance(each, ast.Name)]
    return all(name.isupper() for name in names) and not any(isinstance(each, ast.Call) for each in ast.walk(node))


def limited_durations(source: str) -> list[int]:
    """Return the lines that assert that something took less than a fixed time."""
    return [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Assert)
        and isinstance(node.test, ast.Compare)
        and any(isinstance(operator, ast.Lt | ast.LtE) for operator in node.test.ops)
        and any(map(_is_duration, (node.test.left, *node.test.comparators)))
        and all(_is_duration(each) or _is_fixed(each) for each in (node.test.left, *node.test.comparators))
    ]


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("assert steady() - begun < 2", True),
        ("assert 1 < time.monotonic() - begun <= LIMIT + 1", True),
        ("assert time.monotonic() - begun > 2", False),
        ("assert steady() - begun < 10 * usual + 2", False),
    ],
)
def test_a_limited_duration_is_found(line: str, found: bool) -> None:
    assert bool(limited_durations(line)) is found


def test_no_test_asserts_that_something_took_less_than_a_fixed_time() -> None:
    found = {str(path.relative_to(REPOSITORY)): limited_durations(path.read_text()) for path in TESTS}
    del found["operator/tests/test_slow_api_server.py"]  # less than the default of five seconds
    assert {path: lines for path, lines in found.items() if lines and "tests/e2e/" not in path} == {}

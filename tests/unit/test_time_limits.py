"""No test fails because the machine is slow: generated examples have no deadline, only a number."""

from __future__ import annotations

import ast
from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.support.surroundings import REPOSITORY

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

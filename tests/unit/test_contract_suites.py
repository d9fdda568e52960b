"""The contract's tests for a cluster can be collected: without one, nothing else would show that a suite has moved."""

from __future__ import annotations

from importlib import import_module


def test_each_suite_and_each_test_that_is_left_out_exists() -> None:
    from tests.e2e.contract.test_contract import OTHERWISE, SUITES, collected

    assert len(collected()) > len(SUITES)
    modules = [import_module(f"tests.integration.{folder}.test_{name}") for folder in SUITES for name in SUITES[folder]]
    there = {key.removeprefix("test_") for module in modules for key in vars(module)}
    assert OTHERWISE - there == set()

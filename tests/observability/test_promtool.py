"""Every alert at production's windows, by promtool: when it fires, when not yet, and when no longer."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from observability.objectives import BURNS
from observability.parameters import Parameters
from observability.render import RENDERED, to_text
from observability.rules import alerts, rule_file
from tests.observability.cases import CASES, HEALTHY
from tests.observability.promtool import Case, run
from tests.support import tools

SEVERITIES = {name: str(rules[0].severity) for name, rules in alerts().items()}
RULES = (RENDERED / "rules.yaml").read_text()
BUDGETS = frozenset(name for name in SEVERITIES if "BudgetBurn" in name)


def _is_about_a_budget(case: Case) -> bool:
    return any(BUDGETS.intersection(names) for names in case.firing.values()) or "budget" in case.name


def _relevant(case: Case) -> str:
    """The rules without the budgets that the case is not about: three days of each take long to evaluate."""
    burning = {name for names in case.firing.values() for name in names} & BUDGETS
    document = yaml.safe_load(RULES)

    def wanted(group: dict[str, Any]) -> bool:
        names = {rule.get("alert") for rule in group["rules"]}
        return "-slo-" not in group["name"] or bool(names & burning)

    return yaml.safe_dump({"groups": [group for group in document["groups"] if wanted(group)]})


def test_no_alert_fires_when_nothing_is_wrong(tmp_path: Path) -> None:
    assert not run(tmp_path, RULES, [HEALTHY], SEVERITIES)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if _is_about_a_budget(case)], ids=lambda case: case.name)
def test_exactly_these_budgets_burn(case: Case, tmp_path: Path) -> None:
    burns = any(BUDGETS.intersection(names) for names in case.firing.values())
    rules = _relevant(case) if burns else RULES
    assert not run(tmp_path, rules, [case], SEVERITIES)


@pytest.mark.slow
@pytest.mark.parametrize("case", [case for case in CASES if not _is_about_a_budget(case)], ids=lambda case: case.name)
def test_exactly_these_alerts_fire(case: Case, tmp_path: Path) -> None:
    assert not run(tmp_path, _relevant(case), [case], SEVERITIES)


def test_every_alert_has_a_case_in_which_it_fires_and_one_in_which_it_does_not() -> None:
    fires = {name for case in CASES for names in case.firing.values() for name in names}
    assert fires == set(alerts())
    for name in fires:
        moments = [
            names for case in CASES if any(name in at for at in case.firing.values()) for names in case.firing.values()
        ]
        assert any(name not in names for names in moments), f"{name} fires at every moment of its cases"


def test_a_case_fails_when_its_rule_is_wrong(tmp_path: Path) -> None:
    """The harness itself can fail: without the alert, with another severity, and with one alert too many."""
    deaf = next(case for case in CASES if case.name == "one pod is deaf")
    rules = _relevant(deaf)
    without = rules.replace("HunarMitraSubscriberDeaf\n", "SomethingElse\n", 1)
    assert "HunarMitraSubscriberDeaf" in run(tmp_path, without, [deaf], SEVERITIES)
    assert run(tmp_path, rules, [deaf], {**SEVERITIES, "HunarMitraSubscriberDeaf": "warning"})
    assert run(tmp_path, rules.replace("> 0.98", "> 0.1"), [deaf], SEVERITIES)


@pytest.mark.parametrize("scale", [1, 10, 60, 600])
def test_promtool_takes_the_rules_at_any_speed(scale: float, tmp_path: Path) -> None:
    path = tmp_path / "rules.yaml"
    path.write_text(to_text(rule_file(Parameters(time_scale=scale, labels={"namespace": "hm"}))))
    command: list[str | Path] = [tools.promtool(), "check", "rules", path]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr


def test_the_windows_are_those_of_the_workbook() -> None:
    assert [(burn.rate, burn.long, burn.short) for burn in BURNS] == [
        (14.4, "1h", "5m"),
        (6, "6h", "30m"),
        (3, "1d", "2h"),
        (1, "3d", "6h"),
    ]

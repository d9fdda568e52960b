"""`spec.behavior`: HPA's words beside `scaleUp` and `scaleDown`, and the promise of its rate policies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from fleets import NOW, RULES, SPEC, fleet, samples
from hypothesis import given, settings
from hypothesis import strategies as st
from test_specification import CRD, MINIMAL

from hunarmitra_operator import behavior, explain, hpa, memory, status
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import (
    DOWN_RULES,
    UP_RULES,
    Change,
    History,
    Policy,
    PolicyType,
    Reason,
    Rules,
    Select,
    Spec,
)
from hunarmitra_operator.specification import SpecError, read

SCHEMAS = [version["schema"]["openAPIV3Schema"]["properties"]["spec"] for version in CRD["spec"]["versions"]]
ONE_A_MINUTE = [{"type": "Pods", "value": 1, "periodSeconds": 60}]
FIELDS = {"stabilizationWindowSeconds": 60, "selectPolicy": "Min", "policies": ONE_A_MINUTE}


# The first three are the examples of Kubernetes' page on horizontal pod autoscaling, under "Configurable scaling
# behavior": the default behavior, a shorter window, a limit for scaling down. Then disabling, and partial fields.
@pytest.mark.parametrize(
    ("written", "up", "down"),
    [
        (
            {
                "scaleDown": {
                    "stabilizationWindowSeconds": 300,
                    "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
                },
                "scaleUp": {
                    "stabilizationWindowSeconds": 0,
                    "policies": [
                        {"type": "Percent", "value": 100, "periodSeconds": 15},
                        {"type": "Pods", "value": 4, "periodSeconds": 15},
                    ],
                    "selectPolicy": "Max",
                },
            },
            UP_RULES,
            DOWN_RULES,
        ),
        ({"scaleDown": {"stabilizationWindowSeconds": 60}}, UP_RULES, replace(DOWN_RULES, window=60)),
        (
            {
                "scaleDown": {
                    "policies": [
                        {"type": "Percent", "value": 10, "periodSeconds": 60},
                        {"type": "Pods", "value": 5, "periodSeconds": 60},
                    ],
                    "selectPolicy": "Min",
                }
            },
            UP_RULES,
            replace(
                DOWN_RULES,
                select=Select.MIN,
                policies=(Policy(PolicyType.PERCENT, 10, 60), Policy(PolicyType.PODS, 5, 60)),
            ),
        ),
        ({"scaleDown": {"selectPolicy": "Disabled"}}, UP_RULES, replace(DOWN_RULES, select=Select.DISABLED)),
        ({"scaleUp": {"policies": ONE_A_MINUTE}}, replace(UP_RULES, policies=(Policy(PolicyType.PODS, 1, 60),)), None),
        ({"scaleUp": {}}, UP_RULES, DOWN_RULES),
        ({}, UP_RULES, DOWN_RULES),
    ],
)
def test_the_words_of_hpa_are_read_with_its_defaults(written: dict[str, Any], up: Rules, down: Rules | None) -> None:
    for raw in (MINIMAL, stored(MINIMAL)):
        spec = read(raw | {"behavior": written})
        assert spec.up == up
        assert spec.down == (down or DOWN_RULES)


def stored(raw: dict[str, Any]) -> dict[str, Any]:
    """Return the spec with the defaults that the API server stores outside of `behavior`."""
    return raw | {name: {**behavior.defaults(name), "tolerancePercent": 10} for name in behavior.RULES}


@pytest.mark.parametrize("direction", behavior.RULES)
@pytest.mark.parametrize("field", FIELDS)
def test_a_field_in_both_places_is_refused_and_named(direction: str, field: str) -> None:
    one = {direction: {field: FIELDS[field]}}
    other = {name: value for name, value in FIELDS.items() if name != field}
    read(MINIMAL | {"behavior": one, direction: {**other, "tolerancePercent": 5}})
    sentence = f"behavior.{direction}.{field} and {direction}.{field} are both set; remove one of them"
    with pytest.raises(SpecError, match=sentence):
        read(MINIMAL | one | {"behavior": one})
    for schema in SCHEMAS:
        (rule,) = (rule for rule in schema["x-kubernetes-validations"] if rule["message"] == sentence)
        assert rule["fieldPath"] == f".behavior.{direction}.{field}"
        assert f"has(self.behavior.{direction}.{field})" in rule["rule"]


def test_the_other_fields_of_ours_stay_beside_behavior() -> None:
    raw = MINIMAL | {"scaleUp": {"tolerancePercent": 3, "selectPolicy": "Min"}}
    spec = read(raw | {"behavior": {"scaleUp": {"stabilizationWindowSeconds": 30}}})
    assert spec.up == replace(UP_RULES, tolerance_percent=3, select=Select.MIN, window=30)


@pytest.mark.parametrize("direction", behavior.RULES)
def test_the_schema_has_the_fields_and_the_bounds_of_ours_without_defaults(direction: str) -> None:
    for schema in SCHEMAS:
        ours = schema["properties"][direction]["properties"]
        theirs = schema["properties"]["behavior"]["properties"][direction]["properties"]
        assert behavior.defaults(direction) == {name: ours[name]["default"] for name in theirs}
        assert set(theirs) == set(FIELDS)
        for name, field in theirs.items():
            assert "default" not in field, "a default would hide whether the field is set"
            same = set(field) - {"description", "minItems"}
            assert {key: field[key] for key in same} == {key: ours[name][key] for key in same}
        assert theirs["policies"]["minItems"] == 1, "as HPA has it"


# ── the promise of the policies
# ─────────────────────────────────────────────────────────────────────────────────────────
def at(timeline: list[tuple[float, int]], moment: float) -> int:
    """Return the replicas at a moment."""
    return [replicas for when, replicas in timeline if when <= moment][-1] if timeline[0][0] <= moment else -1


def allowed(policy: Policy, start: int, sign: int) -> int:
    if policy.type is PolicyType.PODS:
        return start + sign * policy.value
    hundredths = start * (100 + sign * policy.value)
    return hpa.ceil_div(hundredths, 100) if sign > 0 else max(0, hundredths // 100)


@given(
    steps=st.lists(st.tuples(st.sampled_from([5, 10, 15, 60, 600]), st.integers(1, 400)), min_size=1, max_size=40),
    up=RULES,
    down=RULES,
)
@settings(max_examples=150, deadline=None)
def test_the_limit_is_never_passed_within_any_period(steps: list[tuple[int, int]], up: Rules, down: Rules) -> None:
    """The operator restarts after each step, with nothing but the history in the resource's status."""
    spec, history, now, current = replace(SPEC, up=up, down=down), History(), NOW, 50
    timeline = [(NOW - 10_000, current)]
    for gap, wanted in steps:
        now += gap
        history = status.read_history({"history": status.write_history(history)})
        after = hpa.limit(
            current=current,
            desired=wanted,
            bounds=hpa.Bounds(1, 500),
            up=up,
            down=down,
            changes=history.changes,
            now=now,
        )
        sign, rules = (1, up) if after > current else (-1, down)
        limits = [allowed(policy, at(timeline, now - policy.period), sign) for policy in rules.policies]
        if after != current:
            assert rules.select is not Select.DISABLED
            strictest = (min if sign > 0 else max) if rules.select is Select.MIN else (max if sign > 0 else min)
            assert sign * after <= sign * strictest(limits)
        history = replace(history, changes=memory.add_change(history.changes, after - current, now, spec))
        current = after
        timeline.append((now, current))


def test_a_long_period_remembers_more_changes_than_fit_into_the_status() -> None:
    rules = Rules(window=0, policies=(Policy(PolicyType.PODS, 300, 1800),))
    spec: Spec = replace(SPEC, up=rules, down=rules)
    changes: tuple[Change, ...] = ()
    current, timeline = 1, [(NOW - 10_000, 1)]
    for turn in range(1000):
        now = NOW + 5 * turn
        most = hpa.up_limit(current, rules, changes, now=now)
        by = min(1, most - current)
        current += by
        changes = memory.add_change(changes, by, now, spec)
        timeline.append((now, current))
        assert len(changes) <= memory.MAX_CHANGES
        assert current - at(timeline, now - 1800) <= 300
    assert current >= 300 * 2, "a period that is over allows more"


# ── in words
# ──────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("written", "words"),
    [
        ({}, "the policies allow 6 now (100 % in 15 s or 4 pods in 15 s, whichever is more)"),
        ({"selectPolicy": "Min"}, "the policies allow 4 now (100 % in 15 s or 4 pods in 15 s, whichever is less)"),
        ({"policies": ONE_A_MINUTE}, "the policies allow 3 now (1 pod in 60 s)"),
        ({"selectPolicy": "Disabled"}, "the policies allow 2 now (selectPolicy is Disabled)"),
    ],
)
def test_the_status_names_the_policies(written: dict[str, Any], words: str) -> None:
    spec = read(MINIMAL | {"behavior": {"scaleUp": written}})
    loads = [750, 750]  # on minReplicas, which is not what limits the number
    decision = decide(spec, fleet(loads), samples(loads), History(), NOW)
    assert decision.limited is Reason.RATE_LIMITED
    assert decision.message.endswith(words)
    assert explain.policies(spec.up) in words

"""The reference of HorizontalPodAutoscaler's algorithm, against the expectations of upstream's own table tests.

The figures are upstream's (kubernetes/kubernetes, pkg/controller/podautoscaler, the tests of the replica calculator and
of the horizontal controller). CPU targets are written as their per-pod value, of a request of 1000. The operator's
decision is compared with the reference too.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from fleets import NOW, RULES, SPEC, fleet, samples
from hypothesis import given, settings
from hypothesis import strategies as st

from hunarmitra_operator.decide import decide
from hunarmitra_operator.hpa import (
    Bounds,
    HorizontalPodAutoscaler,
    MetricPod,
    average_value,
    limit,
    recommend,
    stabilize,
)
from hunarmitra_operator.model import (
    DOWN_RULES,
    UP_RULES,
    Change,
    History,
    Policy,
    PolicyType,
    RebalanceRules,
    Recommendation,
    Rules,
    Select,
)


def values(*levels: int) -> list[MetricPod]:
    return [MetricPod(level) for level in levels]


def unready(*levels: int) -> list[MetricPod]:
    """Ignored pods: not ready, or their first CPU sample is from before they were ready."""
    return [MetricPod(level, unready=True) for level in levels]


MISSING = MetricPod(None)
PENDING = MetricPod(None, pending=True)
FAILED = MetricPod(None, failed=True)
DELETED = MetricPod(None, terminating=True)


@pytest.mark.parametrize(
    ("current", "target", "pods", "expected"),
    [
        # Upwards. 30 % of a request of 1000 is a target of 300.
        pytest.param(3, 300, values(300, 500, 700), 5, id="up"),
        pytest.param(3, 300, unready(300) + values(500, 700), 4, id="up, one unready: less"),
        pytest.param(3, 300, values(400) + unready(500, 700), 3, id="up, two unready: not at all"),
        pytest.param(2, 300, [*values(500, 700), FAILED, FAILED], 4, id="up, failed pods do not count"),
        pytest.param(2, 300, [*values(500, 700), DELETED, DELETED], 4, id="up, deleted pods do not count"),
        pytest.param(3, 15_000, values(20_000, 10_000, 30_000), 4, id="up, custom metric"),
        pytest.param(3, 15_000, values(50_000, 10_000, 30_000), 6, id="up, readiness is for CPU alone"),
        pytest.param(3, 15_000, values(50_000, 15_000, 30_000), 7, id="up, two of three not ready"),
        pytest.param(1, 4_400, values(8_600), 2, id="up, one pod"),
        # Downwards.
        pytest.param(5, 500, values(100, 300, 500, 250, 250), 3, id="down"),
        pytest.param(5, 20_000, values(*[12_000] * 5), 3, id="down, custom metric"),
        pytest.param(5, 500, values(100, 300, 500) + unready(250, 250), 2, id="down, unready left out"),
        pytest.param(5, 500, [*values(100), *[PENDING] * 4], 1, id="down, unscheduled left out"),
        pytest.param(5, 500, [*values(100, 300, 500, 250, 250), FAILED], 3, id="down, failed pods"),
        pytest.param(5, 500, [*values(100, 300, 500, 250, 250), DELETED], 3, id="down, deleted pods"),
        # The tolerance of 10 %.
        pytest.param(3, 1000, values(1010, 1030, 1020), 3, id="within the tolerance"),
        pytest.param(3, 20_000, values(20_000, 21_000, 21_000), 3, id="within it, custom metric"),
        pytest.param(10, 165, values(*[150] * 10), 10, id="just within it"),
        pytest.param(10, 168, values(*[150] * 10), 9, id="just beyond it"),
        # Missing metrics: on target when going down, nothing when going up.
        pytest.param(4, 1000, [*values(400, 95), MISSING, MISSING], 3, id="missing, down"),
        pytest.param(2, 1000, [*values(1000), MISSING], 2, id="missing, on target"),
        pytest.param(2, 1000, [*values(1900), MISSING], 2, id="missing, would go up"),
        pytest.param(2, 1000, [*values(600), MISSING], 2, id="missing, would go down"),
        pytest.param(3, 500, [*unready(100), *values(450), MISSING], 3, id="missing and set aside, held"),
        pytest.param(3, 500, [*unready(100), *values(2000), MISSING], 4, id="missing and set aside, up"),
        pytest.param(4, 500, [*unready(100), *values(100, 100), MISSING], 3, id="missing, set aside, down"),
        pytest.param(2, 500, [*values(100, 100), MISSING], 2, id="a rollout's surge pod without a metric"),
        pytest.param(4, 1000, [MISSING] * 4, None, id="no metrics at all"),
        pytest.param(1, 1000, [], None, id="no pods"),
    ],
)
def test_the_recommendation(current: int, target: int, pods: list[MetricPod], expected: int | None) -> None:
    assert recommend(current, target, pods, missing_value=1000) == expected


@pytest.mark.parametrize(
    ("current", "target", "total", "expected"),
    [(3, 2150, 8600, 4), (5, 2867, 8600, 3), (3, 2900, 8600, 3), (4, 5000, 20_166, 4), (5, 2000, 6000, 3)],
)
def test_an_average_over_replicas(current: int, target: int, total: int, expected: int) -> None:
    assert average_value(current, target, total) == expected


def rules(pods: int = 0, pods_period: int = 60, percent: int = 0, percent_period: int = 60, window: int = 0) -> Rules:
    """Return rules with a policy for pods, one for percent, or both, as upstream's tests write them."""
    both = [Policy(PolicyType.PODS, pods, pods_period)] if pods else []
    both += [Policy(PolicyType.PERCENT, percent, percent_period)] if percent else []
    return Rules(window=window, policies=tuple(both))


def spread(amounts: tuple[int, ...], period: int, sign: int) -> list[Change]:
    """Return changes, evenly over the last `period` seconds."""
    step = period / (len(amounts) + 1)
    return [Change(sign * amount, NOW - period + step * (i + 1)) for i, amount in enumerate(amounts)]


@pytest.mark.parametrize(
    ("rule", "events", "low", "high", "current", "desired", "expected"),
    [
        # Upwards, without a past.
        (rules(100, 60, 100, 60), (), 1, 1000, 10, 500, 110),
        (rules(2, 60, 100, 60), (), 1, 1000, 10, 500, 20),
        (rules(100), (), 1, 1000, 10, 50, 50),
        (rules(10_000), (), 1, 1000, 10, 50, 50),
        (rules(30), (), 1, 1000, 10, 50, 40),
        (rules(percent=200), (), 1, 1000, 10, 50, 30),
        # Upwards, after +15 within the last two minutes.
        (rules(300), (1, 5, 9), 1, 200, 100, 500, 200),
        (rules(percent=10_000), (1, 5, 9), 1, 200, 100, 500, 200),
        (rules(5, 120), (1, 5, 9), 1, 1000, 100, 500, 100),
        (rules(150, 120), (1, 5, 9), 1, 1000, 100, 500, 235),
        (rules(percent=200, percent_period=120), (1, 5, 9), 1, 1000, 100, 500, 255),
        (rules(1000, 60), (8, 12, 9, 11), 1, 1000, 100, 200, 200),
        (rules(1000, 120, 100, 60), (8, 12, 9, 11), 1, 1000, 100, 200, 200),
        # Downwards, without a past.
        (rules(20, 60, 1, 60), (), 1, 1000, 100, 2, 80),
        (rules(2, 60, 1, 60), (), 1, 1000, 100, 2, 98),
        (rules(100), (), 1, 1000, 10, 0, 1),
        (rules(percent=100), (), 5, 1000, 10, 2, 5),
        (rules(5), (), 1, 1000, 10, 2, 5),
        (rules(percent=50), (), 1, 1000, 10, 5, 5),
        # Downwards, after -15, -12 or -30 within the last two minutes.
        (rules(115, 120), (1, 5, 9), 1, 1000, 100, 0, 1),
        (rules(130, 120), (1, 5, 9), 5, 1000, 100, 0, 5),
        (rules(percent=100, percent_period=120), (1, 5, 9), 5, 1000, 100, 2, 5),
        (rules(5, 120), (1, 5, 9), 1, 1000, 100, 2, 100),
        (rules(percent=50, percent_period=120), (2, 4, 6), 1, 1000, 100, 0, 56),
        (rules(percent=10, percent_period=120), (10, 10, 10), 1, 1000, 100, 0, 100),
        (rules(percent=1000, percent_period=120), (10, 10, 10), 1, 1000, 10, 5, 5),
        (rules(1000, 60), (8, 12, 9, 11), 1, 1000, 100, 5, 5),
    ],
)
def test_the_rate_policies(
    rule: Rules, events: tuple[int, ...], low: int, high: int, current: int, desired: int, expected: int
) -> None:
    sign = 1 if desired > current else -1
    changes = spread(events, 120, sign)
    got = limit(
        current=current,
        desired=desired,
        bounds=Bounds(low, high),
        up=rule,
        down=rule,
        changes=changes,
        now=NOW,
    )
    assert got == expected


@pytest.mark.parametrize(
    ("past", "current", "desired", "up", "down", "expected"),
    [
        ([], 100, 5, 0, 0, 5),
        ([(4, 120), (5, 60)], 100, 3, 0, 180, 5),
        ([(4, 120), (5, 60)], 1, 7, 300, 0, 4),
        ([(1, 120), (2, 60)], 100, 3, 300, 0, 3),
        ([(4, 120), (5, 60)], 1, 3, 0, 300, 3),
        ([(10, 600), (9, 540)], 100, 3, 0, 0, 3),
        ([(10, 600), (4, 60), (5, 120), (9, 540)], 100, 3, 0, 180, 5),
        ([(10, 6000), (6, 60), (5, 120), (9, 180)], 1, 100, 300, 0, 5),
    ],
)
def test_the_stabilization_windows(
    past: list[tuple[int, int]], current: int, desired: int, up: int, down: int, expected: int
) -> None:
    recommendations = [Recommendation(replicas, NOW - ago) for replicas, ago in past]
    assert stabilize(recommendations, now=NOW, current=current, desired=desired, up=up, down=down) == expected


def test_a_disabled_direction_stands_still() -> None:
    off = Rules(window=0, select=Select.DISABLED, policies=UP_RULES.policies)
    common = {"bounds": Bounds(1, 100), "up": off, "down": off, "changes": [], "now": NOW}
    assert limit(current=10, desired=50, **common) == 10  # type: ignore[arg-type]
    assert limit(current=10, desired=5, **common) == 10  # type: ignore[arg-type]


def test_the_first_recommendation_is_what_is_there() -> None:
    autoscaler = HorizontalPodAutoscaler(Bounds(1, 10), UP_RULES, DOWN_RULES)
    assert autoscaler.sync(5, 2, NOW) == 5, "nothing is known of the last 300 s, so nothing goes down"
    assert autoscaler.sync(5, 2, NOW + 301) == 2


@given(
    loads=st.lists(st.tuples(st.integers(1, 20), st.floats(0, 3, allow_nan=False)), min_size=3, max_size=25),
    start=st.integers(1, 12),
    target=st.integers(1, 1000),
    up=RULES,
    down=RULES,
)
@settings(max_examples=600, deadline=None)
def test_where_a_spec_asks_for_it_ours_is_the_same(
    loads: list[tuple[int, float]], start: int, target: int, up: Rules, down: Rules
) -> None:
    """Every pod is ready and readable, only the average counts, no cap matters, and drains end at once."""
    spec = replace(
        SPEC,
        target_per_pod=target,
        cap_per_pod=10**9,
        min_replicas=1,
        max_replicas=15,
        consider_fullest=False,
        up=up,
        down=down,
        reconnects_per_second=10**9,
        rebalance=RebalanceRules(enabled=False),
    )
    reference = HorizontalPodAutoscaler(Bounds(1, 15), up, down)
    count, history, now = start, History(), NOW
    for gap, factor in loads:
        total = round(factor * target * count)
        spread_out = [total // count + (1 if i < total % count else 0) for i in range(count)]
        expected = reference.sync(
            count,
            recommend(
                count,
                target,
                values(*spread_out),
                up_percent=up.tolerance_percent,
                down_percent=down.tolerance_percent,
            ),
            now,
        )
        decision = decide(spec, fleet(spread_out), samples(spread_out, now), history, now)
        assert decision.desired == expected, decision.message
        # Carried out at once: a drain is over, and the Deployment has the number.
        count = expected
        history = replace(decision.history, drain=None, replicas=count, pending=None, drain_ended=None)
        now += 5 * gap

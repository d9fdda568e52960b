"""Decisions in named situations."""

from __future__ import annotations

import ast
from dataclasses import replace
from datetime import datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from fleets import NOW, SPEC, fleet, samples, settled, with_pod

from hunarmitra_operator import decide as decide_module
from hunarmitra_operator import explain, memory, schedule
from hunarmitra_operator.decide import decide
from hunarmitra_operator.hpa import Bounds
from hunarmitra_operator.model import Fleet, History, Peak, Reason, Recommendation, Sample


def test_load_within_the_tolerance_is_steady() -> None:
    decision = decide(SPEC, fleet([95, 105]), samples([95, 105]), History(), NOW)
    assert decision.reason is Reason.STEADY
    assert decision.message == "200 connections on 2 replicas, 100 each of a target of 100: nothing to do"


def test_load_above_it_scales_up_at_once() -> None:
    decision = decide(SPEC, fleet([150, 150, 150]), samples([150, 150, 150]), History(), NOW)
    assert decision.reason is Reason.SCALING_UP
    assert decision.scale_to == 5


def test_pods_that_start_count_as_coming() -> None:
    current = fleet([150, 150, 150, None, None])
    for index in (3, 4):
        current = with_pod(current, index, ready=False)
    decision = decide(SPEC, current, samples([150, 150, 150]), History(), NOW)
    assert decision.scale_to is None
    assert not decision.stale, "a pod that starts is not unreadable"


def test_connections_on_draining_and_terminating_pods_are_load() -> None:
    current = with_pod(fleet([100, 100, 90]), 2, terminating=True, ready=False)
    decision = decide(SPEC, replace(current, replicas=2), samples([100, 100, 90]), History(), NOW)
    assert decision.connections == 290
    assert decision.scale_to == 3


def test_a_scale_down_waits_for_the_window() -> None:
    decision = decide(SPEC, fleet([40] * 5), samples([40] * 5), History(replicas=5), NOW)
    assert decision.reason is Reason.STABILIZING
    assert "within the last 300 s" in decision.message


def test_the_fullest_pod_asks_for_one_more() -> None:
    loads = [140, 60, 60, 60]
    decision = decide(SPEC, fleet(loads), samples(loads), History(replicas=4), NOW)
    assert decision.scale_to == 5
    assert "ws-0 carries 140 of at most 150" in decision.message
    growing = History(replicas=5, grown=NOW - 10)
    loads.append(0)
    again = decide(SPEC, fleet(loads), samples(loads), growing, NOW)
    assert again.scale_to is None, "the new pod is given time to take its share"


def test_at_the_maximum_it_says_so() -> None:
    spec = replace(SPEC, max_replicas=3)
    decision = decide(spec, fleet([150, 150, 150]), samples([150, 150, 150]), History(), NOW)
    assert decision.reason is decision.limited is Reason.AT_MAXIMUM
    assert "maxReplicas allows 3" in decision.message


def test_unreadable_pods_freeze_scale_down_and_nothing_else() -> None:
    loads = [40, 40, 40, None]
    decision = decide(SPEC, fleet(loads), samples(loads), settled(4, 2), NOW)
    assert decision.reason is Reason.STALE
    assert decision.stale == ("ws-3",)
    assert "not readable" in decision.message
    crowd = [200, 200, 200, None]
    assert decide(SPEC, fleet(crowd), samples(crowd), settled(4, 2), NOW).scale_to == 8


def test_an_unreadable_pod_is_estimated_high() -> None:
    readings = samples([200, 200]) | {"uid-0002": Sample(260, NOW - 300)}
    decision = decide(SPEC, fleet([200, 200, None]), readings, History(), NOW)
    assert decision.connections == 660


def test_with_no_pod_readable_nothing_changes() -> None:
    decision = decide(SPEC, fleet([None, None, None]), {}, settled(3, 1), NOW)
    assert decision.reason is Reason.NO_DATA
    assert decision.desired == 3


def test_a_rollout_freezes_scale_down_but_not_up() -> None:
    rolling = replace(fleet([40] * 5), rollout="two revisions have pods")
    assert decide(SPEC, rolling, samples([40] * 5), settled(5, 2), NOW).reason is Reason.ROLLOUT
    crowd = replace(fleet([200] * 5), rollout="two revisions have pods")
    assert decide(SPEC, crowd, samples([200] * 5), settled(5, 2), NOW).scale_to == 10


def test_a_rival_means_hands_off() -> None:
    current = replace(fleet([400, 400]), autoscalers=("HorizontalPodAutoscaler/ws",))
    decision = decide(SPEC, current, samples([400, 400]), History(), NOW)
    assert decision.reason is Reason.CONFLICT
    assert decision.scale_to is None
    assert "HorizontalPodAutoscaler/ws" in decision.conflict


def test_a_foreign_change_is_adopted_and_two_are_a_conflict() -> None:
    loads = [50] * 6
    first = decide(SPEC, fleet(loads), samples(loads), settled(4, 3), NOW)
    assert first.reason is Reason.ADOPTED
    assert first.desired == 6
    within = decide(SPEC, fleet(loads), samples(loads, NOW + 200), first.history, NOW + 200)
    assert within.reason is Reason.ADOPTED
    over = decide(SPEC, fleet(loads), samples(loads, NOW + 301), within.history, NOW + 301)
    assert over.drain is not None, "the window is over and the load has the word again"
    second = decide(SPEC, fleet([50] * 8), samples([50] * 8, NOW + 250), within.history, NOW + 250)
    assert second.reason is Reason.CONFLICT
    later = decide(SPEC, fleet([50] * 8), samples([50] * 8, NOW + 900), second.history, NOW + 900)
    assert later.reason is not Reason.CONFLICT


def test_an_adopted_number_that_cannot_carry_the_load_is_raised() -> None:
    loads = [400, 400]
    decision = decide(SPEC, fleet(loads), samples(loads), History(replicas=8), NOW)
    assert decision.reason is Reason.SCALING_UP
    assert decision.scale_to == 6, "800 connections at a cap of 150"


def test_scaled_to_zero_is_left_alone() -> None:
    assert decide(SPEC, Fleet(0, ()), {}, History(replicas=3), NOW).reason is Reason.AT_ZERO


def test_a_dry_run_only_talks() -> None:
    spec = replace(SPEC, dry_run=True)
    up = decide(spec, fleet([200, 200]), samples([200, 200]), History(), NOW)
    assert (up.scale_to, up.desired) == (None, 4)
    assert "would scale up to 4" in up.message
    down = decide(spec, fleet([10, 90, 50]), samples([10, 90, 50]), settled(3, 2), NOW)
    assert "would drain ws-0" in down.message


def test_new_pods_get_their_share() -> None:
    loads = [200, 200, 0, 0]
    spec = replace(SPEC, cap_per_pod=300, reconnects_per_second=10)
    decision = decide(spec, fleet(loads), samples(loads), History(replicas=4), NOW)
    assert decision.reason is Reason.REBALANCING
    assert [(move.name, move.connections) for move in decision.moves] == [("ws-1", 75), ("ws-0", 75)]
    soon = decide(spec, fleet(loads), samples(loads, NOW + 5), decision.history, NOW + 5)
    assert not soon.moves, "within the cooldown"


@pytest.mark.parametrize("loads", [[109, 100, 91], [114, 100, 86], [8, 1, 3]])
def test_small_differences_move_nobody(loads: list[int]) -> None:
    spec = replace(SPEC, min_replicas=3)
    assert not decide(spec, fleet(loads), samples(loads), History(replicas=3), NOW).moves


def moment(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def test_a_schedule_raises_the_minimum_on_its_clock() -> None:
    kolkata = ZoneInfo("Asia/Kolkata")
    evening = Peak("evening", time(18), time(21), 8, kolkata, frozenset({4}))
    night = Peak("night", time(23), time(2), 5, kolkata, frozenset({4}))
    spec = replace(SPEC, schedule=(evening, night))
    for text, low in (
        ("2027-01-15T17:59:59+05:30", 1),
        ("2027-01-15T18:00:00+05:30", 8),
        ("2027-01-15T20:59:59+05:30", 8),
        ("2027-01-15T21:00:00+05:30", 1),
        ("2027-01-16T01:30:00+05:30", 5),
        ("2027-01-16T18:30:00+05:30", 1),
        ("2027-01-15T01:30:00+05:30", 1),
    ):
        assert schedule.bounds(spec, moment(text))[0].low == low, text
    now = moment("2027-01-15T18:00:01+05:30")
    decision = decide(spec, fleet([50]), samples([50], now), History(replicas=1), now)
    assert decision.scale_to == 8
    assert "schedule 'evening' requires 8" in decision.message


def test_a_number_that_was_not_written_is_nobodys_change() -> None:
    history = memory.intend(History(replicas=3), 5, NOW)
    assert memory.reconcile(history, fleet([1] * 5), NOW + 5)[1] is False
    assert memory.reconcile(history, fleet([1] * 3), NOW + 5)[1] is False
    assert memory.reconcile(history, fleet([1] * 4), NOW + 5)[1] is True


def test_recommendations_that_cannot_decide_again_are_dropped() -> None:
    kept: tuple[Recommendation, ...] = ()
    for turn in range(1000):
        kept = memory.add_recommendation(kept, 5 + turn % 3, NOW + turn, 300)
    assert len(kept) <= 3
    assert max(item.replicas for item in kept) == 7
    assert min(item.replicas for item in kept) == 5


def test_the_decision_needs_no_framework() -> None:
    folder = Path(decide_module.__file__).parent
    pending, seen, foreign = ["decide"], set(), set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        for node in ast.walk(ast.parse((folder / f"{name}.py").read_text())):
            modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module == "hunarmitra_operator":
                modules = [f"hunarmitra_operator.{alias.name}" for alias in node.names]
            for module in modules:
                top, _, rest = module.partition(".")
                pending += [rest] if top == "hunarmitra_operator" else []
                foreign |= {top} - {"hunarmitra_operator"}
    assert foreign <= {
        "__future__", "collections", "dataclasses", "datetime", "enum", "fractions", "operator", "zoneinfo",
    }  # fmt: skip


def test_one_replica_is_too_few() -> None:
    text = explain.below_minimum(1, Bounds(2, 9), "")
    assert text == "1 replica is too few: minReplicas requires 2"

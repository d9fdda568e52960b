"""A scale-down from the choice of victims to their termination, with everything that may happen in between."""

from __future__ import annotations

from dataclasses import replace

import pytest
from fleets import NOW, SPEC, fleet, samples, settled, with_pod

from hunarmitra_operator import draining
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Decision, Fleet, History, Pod, Reason, Sample

LOADS = [70, 5, 60, 10, 55]  # 200 connections: two pods would do
READY = fleet(LOADS)


def begin() -> Decision:
    """Return the decision that begins a drain of the three emptiest of five pods, 70 connections in all."""
    return decide(SPEC, READY, samples(LOADS), settled(5, 2), NOW)


def out_of_rotation(current: Fleet = READY) -> Fleet:
    """Return the fleet after the victims became not ready."""
    for index in (1, 3, 4):
        current = with_pod(current, index, ready=False)
    return current


def test_it_begins_with_the_emptiest() -> None:
    decision = begin()
    assert decision.reason is Reason.DRAINING
    assert decision.scale_to is None, "nobody is removed before being drained"
    assert decision.drain is not None
    assert [victim.name for victim in decision.drain.victims] == ["ws-1", "ws-3", "ws-4"]
    assert decision.drain.target == decision.desired == 2
    assert decision.drain.deadline == NOW + SPEC.drain_window


def test_it_waits_for_the_victims_to_become_empty() -> None:
    later = [95, 0, 90, 0, 15]
    decision = decide(SPEC, out_of_rotation(), samples(later, NOW + 30), begin().history, NOW + 30)
    assert decision.reason is Reason.DRAINING
    assert decision.scale_to is None
    assert "15 of 70 connections left" in decision.message


def test_it_waits_for_them_to_turn_not_ready() -> None:
    decision = decide(SPEC, READY, samples([100, 0, 100, 0, 0], NOW + 5), begin().history, NOW + 5)
    assert decision.scale_to is None


def test_it_scales_down_when_all_are_empty() -> None:
    empty = samples([100, 0, 100, 0, 0], NOW + 60)
    decision = decide(SPEC, out_of_rotation(), empty, begin().history, NOW + 60)
    assert decision.reason is Reason.SCALING_DOWN
    assert decision.scale_to == 2
    assert decision.history.pending == 2, "the number is remembered before it is written"


def test_it_scales_down_at_the_deadline_with_whoever_is_left() -> None:
    left = samples([95, 0, 95, 0, 10], NOW + 120)
    assert decide(SPEC, out_of_rotation(), left, begin().history, NOW + 120).scale_to == 2


@pytest.mark.parametrize("change", [{"ready": False}, {"ready": False, "pending": True}])
def test_it_does_not_scale_down_while_another_pod_would_be_removed_first(change: dict[str, bool]) -> None:
    current = with_pod(out_of_rotation(), 0, **change)
    readings = samples([100, 0, 100, 0, 0], NOW + 60)
    decision = decide(SPEC, current, readings, begin().history, NOW + 60)
    assert decision.scale_to is None
    assert "ws-0" in decision.message


def test_a_victim_that_serves_again_is_drained_again_and_not_removed() -> None:
    """The operator was away: the leases ended, clients came, and now the deadline is reached."""
    readings = samples([70, 15, 60, 30, 25], NOW + 120)
    decision = decide(SPEC, READY, readings, begin().history, NOW + 120)
    assert decision.scale_to is None
    assert decision.reason is Reason.DRAINING
    assert decision.limited is Reason.LAPSED
    assert "ws-1, ws-3, ws-4 are back in service with 70 connections: the drain lapsed" in decision.message
    assert decision.drain is not None
    assert decision.drain.deadline == NOW + 120 + SPEC.drain_window, "a whole window for new clients"
    assert decision.drain.id == begin().drain.id  # type: ignore[union-attr]
    out = samples([95, 0, 95, 0, 10], NOW + 239)
    later = decide(SPEC, out_of_rotation(), out, decision.history, NOW + 239)
    assert later.scale_to is None
    assert decide(SPEC, out_of_rotation(), out, decision.history, NOW + 240).scale_to == 2


def test_a_lapse_is_noticed_before_the_deadline() -> None:
    one_back = with_pod(out_of_rotation(), 4, ready=True)
    readings = samples([95, 0, 95, 0, 10], NOW + 65)
    early = decide(SPEC, one_back, samples([95, 0, 95, 0, 10], NOW + 5), begin().history, NOW + 5)
    assert early.drain == begin().drain, "it is only about to turn not-ready"
    decision = decide(SPEC, one_back, readings, begin().history, NOW + 65)
    assert decision.drain is not None
    assert decision.drain.deadline == NOW + 65 + SPEC.drain_window
    assert "ws-4 is back in service with 10 connections" in decision.message


@pytest.mark.parametrize("lease", [60, 600])
def test_no_lease_is_so_long_that_a_serving_pod_is_removed(lease: int) -> None:
    spec = replace(SPEC, lease=lease, drain_window=600)
    readings = samples([70, 15, 60, 30, 25], NOW + 120)
    assert decide(spec, READY, readings, begin().history, NOW + 120).scale_to is None


def test_victims_that_keep_coming_back_are_let_go() -> None:
    decision = begin()
    for after in range(30, draining.DRAIN_WINDOWS * SPEC.drain_window + 31, 30):
        readings = samples([70, 15, 60, 30, 25], NOW + after)
        decision = decide(SPEC, READY, readings, decision.history, NOW + after)
        assert decision.scale_to is None
    assert decision.reason is Reason.ABORTED
    assert decision.limited is Reason.LAPSED
    assert {victim.name for victim in decision.release} == {"ws-1", "ws-3", "ws-4"}
    assert "back in service" in decision.message


def scaled() -> tuple[Decision, Fleet]:
    """Return the decision that lowers the number, and the Deployment right after it."""
    empty = samples([100, 0, 100, 0, 0], NOW + 60)
    decision = decide(SPEC, out_of_rotation(), empty, begin().history, NOW + 60)
    return decision, replace(out_of_rotation(), replicas=2)


def test_it_waits_for_termination_and_ends() -> None:
    decision, current = scaled()
    waiting = decide(SPEC, current, samples([100, 0, 100, 0, 0], NOW + 65), decision.history, NOW + 65)
    assert waiting.reason is Reason.WAITING
    assert waiting.scale_to is None
    for index in (1, 3, 4):
        current = with_pod(current, index, terminating=True)
    ended = decide(SPEC, current, samples([100, 0, 100, 0, 0], NOW + 70), waiting.history, NOW + 70)
    assert ended.drain is None
    assert ended.reason is Reason.STEADY
    assert not ended.release


def test_a_victim_that_is_not_terminated_returns_to_service() -> None:
    decision, current = scaled()
    for index in (1, 3):
        current = with_pod(current, index, terminating=True)
    late = decide(SPEC, current, samples([100, 0, 100, 0, 0], NOW + 95), decision.history, NOW + 95)
    assert [victim.name for victim in late.release] == ["ws-4"]
    assert late.drain is None


def test_a_number_that_was_not_written_is_written_again() -> None:
    decision, current = scaled()
    unchanged = replace(current, replicas=5)
    again = decide(SPEC, unchanged, samples([100, 0, 100, 0, 0], NOW + 65), decision.history, NOW + 65)
    assert again.scale_to == 2
    assert not again.history.foreign


def test_a_restart_continues_from_history_alone() -> None:
    history = begin().history
    readings = samples([95, 0, 90, 0, 15], NOW + 40)
    assert decide(SPEC, out_of_rotation(), readings, history, NOW + 40).drain == history.drain


def test_load_that_comes_back_returns_victims_before_it_adds() -> None:
    readings = samples([150, 5, 140, 10, 30], NOW + 30)
    decision = decide(SPEC, out_of_rotation(), readings, begin().history, NOW + 30)
    assert decision.reason is Reason.RETURNED
    assert [victim.name for victim in decision.release] == ["ws-4", "ws-3"], "the fullest first"
    assert decision.scale_to is None
    assert decision.drain is not None
    assert [victim.name for victim in decision.drain.victims] == ["ws-1"]
    assert decision.desired == decision.drain.target == 4


def test_a_flash_crowd_returns_all_victims_and_adds() -> None:
    readings = samples([400, 5, 400, 10, 30], NOW + 30)
    decision = decide(SPEC, out_of_rotation(), readings, begin().history, NOW + 30)
    assert len(decision.release) == 3
    assert decision.drain is None
    assert decision.scale_to is not None
    assert decision.scale_to > 5


@pytest.mark.parametrize(
    ("change", "reason"),
    [("hung pod", Reason.STALE), ("rollout", Reason.ROLLOUT), ("replicas", Reason.ADOPTED)],
)
def test_it_is_given_up(change: str, reason: Reason) -> None:
    current, readings = out_of_rotation(), samples(LOADS, NOW + 60)
    if change == "hung pod":
        readings["uid-0002"] = Sample(60, NOW + 20)
    elif change == "rollout":
        current = replace(current, rollout="two revisions have pods")
    else:
        current = replace(current, replicas=7)
    decision = decide(SPEC, current, readings, begin().history, NOW + 60)
    assert decision.reason is Reason.ABORTED
    assert decision.limited is reason
    assert {victim.name for victim in decision.release} == {"ws-1", "ws-3", "ws-4"}
    assert decision.drain is None


@pytest.mark.parametrize("field", ["paused", "dry_run"])
def test_pause_and_dry_run_give_it_up(field: str) -> None:
    spec = replace(SPEC, **{field: True})  # type: ignore[arg-type]
    decision = decide(spec, out_of_rotation(), samples(LOADS, NOW + 5), begin().history, NOW + 5)
    assert len(decision.release) == 3
    assert decision.drain is None


def test_after_giving_up_it_waits_a_window() -> None:
    rolling = replace(out_of_rotation(), rollout="two revisions have pods")
    aborted = decide(SPEC, rolling, samples(LOADS, NOW + 60), begin().history, NOW + 60)
    for after, begins in ((65, False), (60 + SPEC.drain_window + 1, True)):
        readings = samples(LOADS, NOW + after)
        decision = decide(SPEC, READY, readings, aborted.history, NOW + after)
        assert (decision.drain is not None) is begins


def test_a_raised_minimum_is_followed() -> None:
    spec = replace(SPEC, min_replicas=4)
    decision = decide(spec, out_of_rotation(), samples(LOADS, NOW + 5), begin().history, NOW + 5)
    assert len(decision.release) == 2
    assert decision.desired == 4


def test_a_victim_that_vanished_is_forgotten() -> None:
    current = out_of_rotation()
    fresh = Pod("uid-new", "ws-new", ready=False, pending=True)
    current = replace(current, pods=(*[pod for pod in current.pods if pod.uid != "uid-0001"], fresh))
    decision = decide(SPEC, current, samples([100, None, 100, 0, 0], NOW + 30), begin().history, NOW + 30)
    assert decision.drain is not None
    assert {victim.name for victim in decision.drain.victims} == {"ws-3", "ws-4"}
    assert decision.drain.target == 3
    assert decision.scale_to is None, "the replacement is pending and would be removed first"


def test_pending_pods_go_first_and_alone() -> None:
    current = fleet([100, 100, None, None], 4)
    for index in (2, 3):
        current = with_pod(current, index, ready=False, pending=True)
    decision = decide(SPEC, current, samples([60, 60]), settled(4, 2), NOW)
    assert decision.drain is not None
    assert [victim.name for victim in decision.drain.victims] == ["ws-2", "ws-3"]
    finish = decide(SPEC, current, samples([60, 60], NOW + 5), decision.history, NOW + 5)
    assert finish.scale_to == 2


def test_survivors_need_room() -> None:
    spec = replace(SPEC, cap_per_pod=100, consider_fullest=False)
    loads = [40, 45, 45, 90]
    decision = decide(spec, fleet(loads), samples(loads), settled(4, 3), NOW)
    assert decision.reason is Reason.SURVIVORS_FULL
    assert decision.drain is None
    assert "of at most 100" in decision.message


def test_the_reconnect_budget_limits_how_many_are_drained() -> None:
    spec = replace(SPEC, reconnects_per_second=1, drain_window=60)
    decision = decide(spec, READY, samples(LOADS), settled(5, 2), NOW)
    assert decision.drain is not None
    assert [victim.name for victim in decision.drain.victims] == ["ws-1", "ws-3"], "15 of at most 60"


def test_a_lowered_maximum_drains_too() -> None:
    spec = replace(SPEC, max_replicas=3, cap_per_pod=100)
    loads = [100, 100, 100, 100]
    decision = decide(spec, fleet(loads), samples(loads), History(replicas=4), NOW)
    assert decision.drain is not None
    assert decision.drain.target == 3

"""The schedule of faults of tests/e2e/chaos."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest

from tests.e2e.chaos.schedule import EVERYTHING, GAP, KINDS, MOST_AT_ONCE, QUIET, Fault, Kind, chosen, plan

SEEDS = range(40)


def test_the_same_seed_gives_the_same_schedule() -> None:
    assert plan(7, 600, KINDS) == plan(7, 600, KINDS)


def test_other_seeds_give_other_schedules() -> None:
    assert len({tuple(fault.kind.name for fault in plan(seed, 600, KINDS)) for seed in SEEDS}) == len(SEEDS)


def test_a_longer_run_begins_like_a_shorter_one() -> None:
    short = plan(7, 600, KINDS)
    assert plan(7, 3600, KINDS)[: len(short)] == short


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_begin_one_after_another_and_end_before_the_run(seed: int) -> None:
    faults = plan(seed, 600, KINDS)
    assert [fault.number for fault in faults] == list(range(1, len(faults) + 1))
    assert all(later.at - earlier.at >= GAP[0] - 0.1 for earlier, later in pairwise(faults))
    assert all(fault.rested <= 600 - QUIET for fault in faults)
    assert all(fault.kind.lasts[0] <= fault.lasts <= fault.kind.lasts[1] for fault in faults)


def overlapping(faults: list[Fault]) -> list[tuple[Fault, Fault]]:
    """Pairs of which the second begins before the first has rested."""
    return [
        (one, other) for one in faults for other in faults if one.at <= other.at < one.rested - 0.1 and one != other
    ]


@pytest.mark.parametrize("seed", SEEDS)
def test_faults_that_cannot_both_recover_do_not_overlap(seed: int) -> None:
    assert not [pair for pair in overlapping(plan(seed, 3600, KINDS)) if pair[0].kind.excludes(pair[1].kind)]


def test_other_faults_do_overlap_but_never_more_than_two() -> None:
    faults = plan(1, 3600, KINDS)
    assert overlapping(faults)
    for fault in faults:
        assert len([other for other in faults if other.at <= fault.at < other.rested - 0.1]) <= MOST_AT_ONCE


def test_a_fault_of_everything_is_alone() -> None:
    alone, small = Kind("alone", EVERYTHING, lasts=(30, 30)), Kind("small", frozenset({"a"}))
    assert alone.excludes(small)
    assert small.excludes(alone)
    for seed in SEEDS:
        assert not [pair for pair in overlapping(plan(seed, 600, [alone, small])) if pair[0].kind != pair[1].kind]


def test_every_kind_comes_before_one_comes_more_often_than_its_weight() -> None:
    kinds = [Kind("often", frozenset({"a"}), weight=3), Kind("once", frozenset({"b"})), Kind("too", frozenset({"c"}))]
    names = [fault.kind.name for fault in plan(3, 3600, kinds)]
    for begin in range(0, len(names) - 5, 5):
        assert Counter(names[begin : begin + 5]) == {"often": 3, "once": 1, "too": 1}


def test_ten_minutes_hold_nearly_every_kind() -> None:
    for seed in SEEDS:
        assert len({fault.kind.name for fault in plan(seed, 600, KINDS)}) >= len(KINDS) - 3


def test_an_hour_holds_every_kind() -> None:
    for seed in SEEDS:
        assert {fault.kind.name for fault in plan(seed, 3600, KINDS)} == {kind.name for kind in KINDS}


def test_a_run_that_is_too_short_for_a_fault_has_none() -> None:
    assert plan(1, 10, KINDS) == []


def test_kinds_are_chosen_by_name() -> None:
    assert chosen("") == list(KINDS)
    assert [kind.name for kind in chosen("kill ws, drain node")] == ["kill ws", "drain node"]
    with pytest.raises(ValueError, match="unknown kinds of faults: kill everything"):
        chosen("kill ws,kill everything")

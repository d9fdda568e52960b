"""A fleet of two thousand pods: the size of the status, and the processor time of a decision."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace

from fleets import NOW, SPEC

from hunarmitra_operator import status
from hunarmitra_operator.decide import decide
from hunarmitra_operator.memory import MAX_CHANGES, MAX_RECOMMENDATIONS, add_recommendation
from hunarmitra_operator.model import Change, Fleet, History, Pod, Reason, Recommendation, Sample, Spec
from hunarmitra_operator.status import Json

COUNT = 2000
MOST_BYTES = 64 * 1024
MOST_SECONDS = 0.060
"""Of processor time."""
POD = "a-rather-long-release-name-hunarmitra-ws-5d8f7c9b64-{:05}"
PODS = tuple(Pod(str(uuid.UUID(int=i)), POD.format(i), created=NOW - 4000) for i in range(COUNT))
QUICK = replace(SPEC, max_replicas=COUNT, reconnects_per_second=100_000, down=replace(SPEC.down, window=0))


def turn(spec: Spec, old: Json, load: Callable[[int], int], now: float) -> tuple[float, Json]:
    """Decide from a status; return the processor time and the new status."""
    samples = {pod.uid: Sample(load(number), now) for number, pod in enumerate(PODS)}
    began = time.process_time()
    decision = decide(spec, Fleet(COUNT, PODS), samples, status.read_history(old), now)
    after = status.after_decision(old, spec, decision, 1)
    status.worth_writing(old, after)
    return time.process_time() - began, after


def size(written: Json) -> int:
    return len(json.dumps(written, separators=(",", ":")))


def test_the_status_stays_small_with_the_longest_history() -> None:
    recommended = (Recommendation(3000 - i, NOW - 3000 + 4 * i) for i in range(MAX_RECOMMENDATIONS))
    changes = (Change(1, NOW - i) for i in range(MAX_CHANGES, 0, -1))
    history = History(recommendations=tuple(recommended), changes=tuple(changes), replicas=COUNT)
    up = replace(SPEC.up, policies=tuple(replace(policy, period=1800) for policy in SPEC.up.policies))
    spec = replace(QUICK, max_replicas=1000, up=up, down=replace(SPEC.down, window=3600))
    old: Json = {"history": status.write_history(history)}
    for step in range(3):
        _, old = turn(spec, old, lambda number: 10 * (number % 2), NOW + 5 * step)
        assert len(old["drain"]["victims"]) > 100
        assert size(old) <= MOST_BYTES


def test_a_decision_is_quick_when_victims_are_chosen_and_when_they_return() -> None:
    def slowest() -> float:
        spent, old = turn(QUICK, {}, lambda _: 10, NOW)
        again, old = turn(QUICK, old, lambda _: 10, NOW + 5)
        assert old["reason"] == Reason.DRAINING
        back, old = turn(QUICK, old, lambda number: 60 if number % 2 else 10, NOW + 10)
        while old["reason"] == Reason.DRAINING:
            back, old = turn(QUICK, old, lambda _: SPEC.target_per_pod, NOW + 15)
        assert old["reason"] == Reason.RETURNED
        return max(spent, again, back)

    assert min(slowest() for _ in range(3)) <= MOST_SECONDS


def test_many_recommendations_are_thinned_and_never_forgotten_early() -> None:
    kept: tuple[Recommendation, ...] = ()
    for turn in range(2000):
        now = NOW + 5 * turn
        kept = add_recommendation(kept, 5000 - turn, now, 3600)
        assert len(kept) <= MAX_RECOMMENDATIONS
        highest = max(item.replicas for item in kept if item.at > now - 3600)
        true = 5000 - max(0, turn - 719)
        assert true <= highest <= true + 3600 / 40 / 5 + 1

"""Clocks that are ahead or set back: what they leave behind does not delay anything for long."""

from __future__ import annotations

from dataclasses import replace

from fleets import NOW, SPEC, fleet, samples

from hunarmitra_operator import survey
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Change, History

LOADS = [200] * 8


def test_a_change_from_the_future_limits_the_rate_for_one_period_only() -> None:
    history = History(replicas=8, changes=(Change(4, NOW + 3600),), grown=NOW + 3600)
    first = decide(SPEC, fleet(LOADS), samples(LOADS), history, NOW)
    later = decide(SPEC, fleet(LOADS), samples(LOADS, NOW + 16), first.history, NOW + 16)
    assert later.scale_to is not None


def test_a_number_adopted_in_the_future_stands_for_one_window_only() -> None:
    history = History(replicas=8, adopted=NOW + 3600)
    first = decide(SPEC, fleet(LOADS), samples(LOADS), history, NOW)
    assert first.history.adopted == NOW
    after = NOW + SPEC.down.window + 1
    assert decide(SPEC, fleet(LOADS), samples(LOADS, after), first.history, after).scale_to is not None


def test_a_sample_from_the_future_is_not_believed() -> None:
    readings = samples(LOADS)
    readings["uid-0000"] = replace(readings["uid-0000"], at=NOW + 60)
    seen = survey.take(fleet(LOADS), readings, None, now=NOW, max_age=SPEC.max_sample_age)
    assert [pod.name for pod in seen.unreadable] == ["ws-0"]

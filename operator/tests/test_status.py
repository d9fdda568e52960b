"""The status: it loses nothing that matters, and it is written when something changed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import yaml
from fleets import NOW, SPEC, fleet, fleets, histories, samples, settled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_specification import SCHEMA

from hunarmitra_operator import status
from hunarmitra_operator.decide import decide
from hunarmitra_operator.model import Decision, Fleet, History, Reason, Sample
from tools.simulate.autoscalers import Ours
from tools.simulate.run import SPEC as TRACE_SPEC
from tools.simulate.run import run
from tools.simulate.traces import GENERATORS


def through_status(decision: Decision) -> History:
    """Return the history after a restart: written to the API server and read back."""
    written = json.loads(json.dumps(status.after_decision({}, SPEC, decision, 1)))
    return status.read_history(written)


def undeclared(schema: dict[str, Any], value: Any, path: str = "status") -> Iterator[str]:
    """Return the parts of a value that the API server would prune."""
    if isinstance(value, dict):
        for name, item in value.items():
            if name in schema.get("properties", {}):
                yield from undeclared(schema["properties"][name], item, f"{path}.{name}")
            else:
                yield f"{path}.{name}"
    elif isinstance(value, list):
        for item in value:
            yield from undeclared(schema["items"], item, f"{path}[]")


@given(fleets(), st.data())
@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_restart_forgets_nothing(seen: tuple[Fleet, dict[str, Sample]], data: st.DataObject) -> None:
    current, readings = seen
    decision = decide(SPEC, current, readings, data.draw(histories(current)), NOW)
    written = status.after_decision({}, SPEC, decision, 1)
    assert status.read_history(json.loads(json.dumps(written))) == decision.history
    assert list(undeclared(SCHEMA["properties"]["status"], written)) == []


class Restarting(Ours):
    """The operator, restarted before every turn."""

    def act(self, world: Any) -> None:
        super().act(world)
        if self.decisions:
            written: dict[str, Any] = {"history": status.write_history(self.history)}
            if self.history.drain:
                written["drain"] = status._write_drain(self.history.drain)
            self.history = status.read_history(yaml.safe_load(json.dumps(written)))


@pytest.mark.parametrize("name", ["flash-crowd", "deploy", "redis-outage"])
def test_an_operator_that_restarts_all_the_time_does_the_same(name: str) -> None:
    trace = GENERATORS[name](5)
    steady, restarting = run(trace, Ours, 5, TRACE_SPEC), run(trace, Restarting, 5, TRACE_SPEC)
    assert steady.tally == restarting.tally
    assert [d.message for d in steady.decisions] == [d.message for d in restarting.decisions]


@pytest.mark.parametrize("spoiled", [{"history": {"changes": [{}]}}, {"drain": {"id": "x"}}, {"history": 7}])
def test_a_spoiled_status_counts_as_none(spoiled: dict[str, Any]) -> None:
    assert status.read_history(spoiled) == History()


def decision(loads: list[int], at: float = NOW, history: History | None = None) -> Decision:
    return decide(SPEC, fleet(loads), samples(loads, at), history or History(replicas=len(loads)), at)


def test_news_is_written_at_once_and_figures_now_and_then() -> None:
    first = status.after_decision({}, SPEC, decision([100, 100]), 1)
    assert status.worth_writing({}, first)

    def later(seconds: float, loads: list[int]) -> bool:
        after = decision(loads, NOW + seconds, through_status(decision([100, 100])))
        return status.worth_writing(first, status.after_decision(first, SPEC, after, 1))

    assert not later(5, [100, 100])
    assert not later(5, [101, 100]), "a figure moved"
    assert later(10, [101, 100])
    assert not later(29, [100, 100])
    assert later(30, [100, 100]), "a sign of life"
    assert later(5, [200, 200]), "a scale-up"


def test_conditions_keep_the_time_of_their_last_change() -> None:
    first = status.after_decision({}, SPEC, decision([100, 100]), 1)
    second = status.after_decision(first, SPEC, decision([200, 200], NOW + 60), 2)
    times = {item["type"]: item["lastTransitionTime"] for item in second["conditions"]}
    assert times["Ready"] == status.moment(NOW)
    assert times["Scaling"] == status.moment(NOW + 60)
    assert {item["observedGeneration"] for item in second["conditions"]} == {2}


def test_events_are_made_on_change_alone() -> None:
    loads: list[int | None] = [40, 40, None]
    stale = decide(SPEC, fleet(loads), samples(loads), settled(3, 1), NOW)
    assert stale.reason is Reason.STALE
    before = status.after_decision({}, SPEC, decision([100, 100, 100]), 1)
    after = status.after_decision(before, SPEC, stale, 1)
    made = status.notices(before, after, stale)
    assert [(notice.type, notice.reason) for notice in made] == [("Warning", "MetricsStale")]
    assert "ws-2" in made[0].message
    assert status.notices(after, after, stale) == []
    over = status.notices(after, before, decision([100, 100, 100]))
    assert [(notice.type, notice.reason) for notice in over] == [("Normal", "MetricsStaleOver")]


def test_rounds_of_rebalancing_make_one_event() -> None:
    spec = replace(SPEC, consider_fullest=False)
    old: dict[str, Any] = {}
    times: list[int] = []
    for after in (*range(0, 1200, 5), *range(1800, 1900, 5)):
        loads, now = [140, 90, 70], NOW + after
        made = decide(spec, fleet(loads), samples(loads, now), status.read_history(old), now)
        new = status.after_decision(old, spec, made, 1)
        told = [notice for notice in status.notices(old, new, made) if notice.reason == "Rebalancing"]
        times += [after] * len(told)
        old = new
    assert times == [0, 1800], "one when it begins, and one when it begins after a pause"


def test_a_failure_leaves_the_memory_alone() -> None:
    before = status.after_decision({}, SPEC, decision([100, 100]), 1)
    after = status.after_failure(before, "TargetNotFound", "there is no Deployment", 1, NOW + 5)
    assert status.read_history(after) == status.read_history(before)
    assert {c["type"]: c["status"] for c in after["conditions"]}["Ready"] == "False"
    assert list(undeclared(SCHEMA["properties"]["status"], after)) == []
    recovered = status.after_decision(after, replace(SPEC), decision([100, 100], NOW + 10), 1)
    assert {c["type"]: c["status"] for c in recovered["conditions"]}["Ready"] == "True"

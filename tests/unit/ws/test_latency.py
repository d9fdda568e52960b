"""The latency of events: the weight of a fan-out, the write queue, messages of older versions, wrong clocks."""

from __future__ import annotations

import time
from collections import deque
from typing import Any

import pytest

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.loop import HistogramSeries
from hunarmitra_ws.acknowledgements import LONGEST_WAIT, Acknowledgements
from hunarmitra_ws.latency import EventLatency
from hunarmitra_ws.metrics import Metrics


class Clock:
    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        monkeypatch.setattr(time, "time", lambda: self.now)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


class Queue:
    """Replaces the server's write queue; the test adds waiting connections."""

    def __init__(self) -> None:
        self.written = 0
        self.waiting: deque[int] = deque()

    @property
    def end(self) -> int:
        return self.written + len(self.waiting)


def message(clock: Clock, committed: float, published: float, **more: Any) -> dict[str, Any]:
    """Return a message that was committed and published some seconds ago."""
    return {
        "committed_at": int((clock.now - committed) * 1e6),
        "published_at": int((clock.now - published) * 1e6),
        **more,
    }


def test_a_fan_out_counts_for_each_of_its_connections_once_the_queue_has_written_them(clock: Clock) -> None:
    observed, queue = EventLatency(), Queue()
    observed.follow(queue)
    arrival = observed.arrived(message(clock, committed=0.3, published=0.2), "status")
    assert arrival is not None
    to_pod = observed.histogram.series["published_to_pod", "status"]
    assert (sum(to_pod.counts), round(to_pod.sum, 3)) == (1, 0.2)
    queue.waiting.extend(range(3))
    observed.delivered(arrival, 3)
    queue.waiting.extend(range(5))  # somebody else's
    queue.written, queue.waiting = 2, deque(range(6))
    observed.written()
    in_pod, whole = (observed.histogram.series[stage, "status"] for stage in ("pod_to_socket", "commit_to_socket"))
    assert sum(whole.counts) == 0, "one of the three waits still"
    clock.now += 0.1
    queue.written, queue.waiting = 3, deque(range(5))
    observed.written()
    assert (sum(in_pod.counts), round(in_pod.sum, 3)) == (3, 0.3)
    assert (sum(whole.counts), round(whole.sum, 3)) == (3, 1.2)


@pytest.mark.parametrize(
    "body", [{}, {"committed_at": 1}, {"published_at": 1}, {"committed_at": "1", "published_at": None}]
)
def test_a_message_of_an_older_process_is_delivered_and_not_measured(body: dict[str, Any]) -> None:
    observed = EventLatency()
    assert observed.arrived(body, "status") is None
    assert observed.skewed.values == {"": 0}


def test_clocks_that_disagree_are_counted_and_never_give_a_negative_time(clock: Clock) -> None:
    observed, queue = EventLatency(), Queue()
    observed.follow(queue)
    arrival = observed.arrived(message(clock, committed=-0.5, published=-0.4), "location")
    assert arrival is not None
    observed.delivered(arrival, 1)
    observed.written()
    assert observed.skewed.values == {"": 2}
    for stage in catalogue.SOCKET_STAGES:
        series = observed.histogram.series[stage, "location"]
        assert (sum(series.counts), series.sum) == (1, 0.0)


def test_buckets_are_cumulative_and_a_bound_belongs_to_its_bucket() -> None:
    series = HistogramSeries((0.1, 0.5))
    for value, weight in ((0.1, 2), (0.2, 1), (7.0, 3)):
        series.observe(value, weight)
    assert series.buckets() == [("0.1", 2), ("0.5", 3), ("+Inf", 6)]


def test_an_exemplar_is_kept_for_its_bucket_and_shown_in_openmetrics_alone() -> None:
    observed = Metrics()
    observed.handshake_seconds.observe(0.2, trace_id="0af7651916cd43dd8448eb211c80319c")
    [family] = [
        each for each in observed.collector().collect() if each.name == "hunarmitra_ws_handshake_duration_seconds"
    ]
    [sample] = [sample for sample in family.samples if sample.exemplar]
    assert sample.labels == {"le": "0.25"}
    assert sample.exemplar is not None
    assert sample.exemplar.labels == {"trace_id": "0af7651916cd43dd8448eb211c80319c"}
    assert sample.exemplar.value == 0.2


def test_an_acknowledgement_counts_once_from_those_who_were_asked_and_in_time(clock: Clock) -> None:
    acks = Acknowledgements()
    acks.ask("booking.1", 4, committed_at=clock.now - 0.1, subscriptions=[1, 2])
    clock.now += 0.3
    assert not acks.receive("booking.1", 4, 3), "not asked"
    assert not acks.receive("booking.1", 5, 1), "another event"
    assert not acks.receive("booking.2", 4, 1), "another booking"
    assert acks.receive("booking.1", 4, 1)
    assert not acks.receive("booking.1", 4, 1), "twice"
    assert (acks.requested.values[""], acks.received.values[""]) == (2, 1)
    assert round(acks.latency.series[()].sum, 3) == 0.4
    clock.now += LONGEST_WAIT + 1
    acks.ask("booking.1", 5, clock.now, subscriptions=[1])
    assert not acks.receive("booking.1", 4, 2), "forgotten"

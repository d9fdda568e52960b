"""Every background task of a hub is supervised, and works again after it was cancelled."""

from __future__ import annotations

import asyncio
import threading

import pytest

from hunarmitra.outbox import relay
from hunarmitra.telemetry.loop import HistogramSeries
from hunarmitra_ws import supervisor as supervisor_module
from hunarmitra_ws.hub import hub as hub_module
from hunarmitra_ws.hub import queries
from hunarmitra_ws.hub import revocations as revocations_module
from hunarmitra_ws.hub.hub import Hub, HubLimits
from hunarmitra_ws.hub.joining import JoinLimits
from hunarmitra_ws.hub.location_batch import BatchLimits
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.recent_load import RecentLoad
from tests.support.eventually import eventually_async
from tests.unit.ws.fakes import make_subscription

LIMITS = HubLimits(
    comparison_interval=0.01,
    revocation_interval=0.01,
    expiry_leeway=0,
    database_threads=1,
    relays=True,
    joins=JoinLimits(
        connections_per_user=20,
        silent_seconds=50,
        replay_page_events=1000,
        replay_buffer_bytes=1000,
        replayed_per_minute=6000,
    ),
    locations=BatchLimits(gather=0, least_interval=2),
)


class Reads:
    """Replaces the database, and counts the queries of the background tasks."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.revocations = self.comparisons = self.relays = 0
        monkeypatch.setattr(revocations_module, "newest_number", self.newest_number)
        monkeypatch.setattr(queries, "channel_states", self.channel_states)
        monkeypatch.setattr(relay, "run", self.relay)

    def newest_number(self) -> int:
        self.revocations += 1
        return 0

    def channel_states(self, names: list[str]) -> dict[str, queries.ChannelState]:
        self.comparisons += 1
        return {name: queries.ChannelState(0) for name in names}

    def relay(self, stop: threading.Event) -> None:
        """Return at the first call, as if it had failed; run until `stop` at later calls."""
        self.relays += 1
        if self.relays > 1:
            stop.wait()


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    monkeypatch.setattr(supervisor_module, "FIRST_PAUSE", 0)
    for interval in ("EXPIRY_INTERVAL", "DELAY_INTERVAL", "RELAY_INTERVAL"):
        monkeypatch.setattr(hub_module, interval, 0.01)
    return Reads(monkeypatch)


async def test_every_task_of_a_hub_is_supervised_and_works_again_after_it_was_killed(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    sampled: list[tuple[float, float, int]] = []
    monkeypatch.setattr(RecentLoad, "sample", lambda _, *sample: sampled.append(sample))
    before = asyncio.all_tasks()
    hub = Hub(LIMITS)
    await hub.start()
    try:
        tasks = dict(hub._supervisor.tasks)
        assert asyncio.all_tasks() - before == set(tasks.values()), "a task is not supervised"
        for task in tasks.values():
            task.cancel()
        await eventually_async(lambda: all(not task.done() for task in hub._supervisor.tasks.values()))
        watching, lanes = make_subscription(expires=4e9)
        hub._index.add(watching).start(seq=0, min_location_seq=0, location_order=0)
        expired, its_lanes = make_subscription(expires=1.0)
        hub._index.add(expired)
        counted = (reads.revocations, reads.comparisons, reads.relays, observations())
        await eventually_async(
            lambda: (
                reads.revocations > counted[0]
                and reads.comparisons > counted[1]
                and reads.relays > 1
                and observations() > counted[3]
                and its_lanes.closing
            )
        )
        assert not lanes.closing
        assert all(now > 0 and delay >= 0 for now, delay, _ in sampled)
        assert sampled
    finally:
        await hub.stop()


def observations() -> int:
    series: HistogramSeries = metrics.loop_delay.series[()]
    return sum(series.counts)

"""A message that nobody of this installation signed is only a reason to read, and not more often than once a second."""

from __future__ import annotations

import logging

import pytest

from hunarmitra.protocol import channels
from hunarmitra_ws.hub import unsigned
from hunarmitra_ws.hub.unsigned import UnsignedMessages
from hunarmitra_ws.metrics import metrics
from tests.support.eventually import eventually_async


class Reads:
    def __init__(self) -> None:
        self.recovered: list[tuple[str, str]] = []
        self.checks = 0

    def recover(self, name: str, found_by: str) -> None:
        self.recovered.append((name, found_by))

    def check(self) -> None:
        self.checks += 1


@pytest.fixture
def reads() -> Reads:
    return Reads()


def of(reads: Reads) -> UnsignedMessages:
    return UnsignedMessages({"booking.1", "booking.2"}, reads.recover, reads.check)


async def test_the_first_is_read_for_at_once_and_a_flood_costs_one_more_read(
    reads: Reads, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unsigned, "INTERVAL", 0.05)
    messages = of(reads)
    before = metrics.messages_unsigned.values[""]
    messages.received("booking.1")
    assert reads.recovered == [("booking.1", "unsigned")]
    for _ in range(10_000):
        messages.received("booking.1")
        messages.received("booking.2")
        messages.received(channels.CONTROL)
    assert (reads.recovered, reads.checks) == ([("booking.1", "unsigned")], 0)
    await eventually_async(lambda: messages._timer is None, 30, "all is read")
    assert reads.recovered[1:] == [("booking.1", "unsigned"), ("booking.2", "unsigned")]
    assert reads.checks == 1
    assert metrics.messages_unsigned.values[""] - before == 30_001
    messages.stop()


async def test_a_channel_that_nobody_watches_is_not_read(reads: Reads) -> None:
    messages = of(reads)
    messages.received("booking.3")
    messages.received("no channel of ours")
    messages.stop()
    assert (reads.recovered, reads.checks) == ([], 0)


async def test_the_log_has_one_line_for_a_flood(reads: Reads, caplog: pytest.LogCaptureFixture) -> None:
    messages = of(reads)
    with caplog.at_level(logging.WARNING):
        for _ in range(1000):
            messages.received("booking.1")
    messages.stop()
    assert [record.getMessage().split(";")[0] for record in caplog.records] == [
        "1 messages on Redis are not signed by this installation"
    ]

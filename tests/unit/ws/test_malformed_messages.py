"""Malformed messages on the channel layer must not stop the hub."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hunarmitra.protocol import channels, messages
from hunarmitra_ws.hub.hub import Hub, HubLimits
from hunarmitra_ws.hub.joining import JoinLimits
from hunarmitra_ws.hub.location_batch import BatchLimits
from tests.unit.ws.fakes import RecordingLanes, make_subscription

LIMITS = HubLimits(
    comparison_interval=60,
    revocation_interval=60,
    expiry_leeway=10,
    database_threads=1,
    relays=False,
    joins=JoinLimits(
        connections_per_user=20,
        silent_seconds=50,
        replay_page_events=1000,
        replay_buffer_bytes=1000,
        replayed_per_minute=6000,
    ),
    locations=BatchLimits(gather=0, least_interval=2),
)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"type": messages.REVOCATION},
        {"type": messages.REVOCATION, "number": "x", "kind": "session", "subject": "x", "booking": None},
        {"type": messages.REVOCATION, "number": 1, "kind": "session", "subject": 7, "booking": None},
        {"type": messages.REVOCATION, "number": 1, "kind": "session", "subject": "no uuid", "booking": None},
        {"type": messages.REVOCATION, "number": None, "kind": None, "subject": None, "booking": None},
        {"type": 7},
    ],
)
async def test_a_malformed_control_message_is_dropped(body: dict[str, Any]) -> None:
    hub = Hub(LIMITS)
    hub._revocations._number = 0
    hub.receive(channels.CONTROL, body)
    assert hub._revocations._number == 0
    await hub.stop()


CHANNEL = "booking.5f0b8a5e-0000-4000-8000-000000000001"

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = st.sampled_from(
    ["seq", "order", "frame", "clears_location", "ack", "committed_at", "published_at", "traceparent", "number", "kind",
     "subject", "booking"]
)  # fmt: skip
TYPES: st.SearchStrategy[Any] = st.sampled_from(
    [messages.STATUS, messages.LOCATION, messages.REVOCATION, "chat.message", 7, None, []]
)
WRONG: list[Any] = [None, 1.5, b"1", [], {}, True, "\ud800"]
WELL_FORMED: list[dict[str, Any]] = [
    {"type": messages.STATUS, "seq": 1, "frame": "one"},
    {"type": messages.LOCATION, "seq": 1, "order": 5, "frame": "here"},
]


def watched() -> tuple[Hub, RecordingLanes]:
    """Return a hub with one live subscription without events."""
    hub = Hub(LIMITS)
    hub._revocations._number = 0
    subscription, lanes = make_subscription(channel=CHANNEL)
    hub._index.add(subscription).start(seq=0, min_location_seq=0, location_order=0)
    subscription.go_live(seq=0, location_order=0, min_location_seq=0)
    return hub, lanes


@pytest.mark.parametrize(
    ("well_formed", "field", "value"),
    [
        (well_formed, field, value)
        for well_formed in WELL_FORMED
        for field in well_formed
        if field != "type"
        for value in [*WRONG, 5 if field == "frame" else "5"]
    ],
)
async def test_a_message_with_a_field_of_another_type_harms_nobody(
    well_formed: dict[str, Any], field: str, value: Any
) -> None:
    hub, lanes = watched()
    hub.receive(CHANNEL, {**well_formed, field: value})
    assert (lanes.texts, lanes.location) == ([], None)
    hub.receive(CHANNEL, WELL_FORMED[0])
    hub.receive(CHANNEL, WELL_FORMED[1])
    assert (lanes.texts, lanes.location) == (["one"], "here")
    await hub.stop()


@given(st.lists(st.tuples(st.dictionaries(FIELDS, VALUES), TYPES), max_size=20))
def test_whatever_is_published_only_text_is_written_and_later_events_arrive(bodies: list[tuple[Any, Any]]) -> None:
    async def scenario() -> None:
        hub, lanes = watched()
        for body, kind in bodies:
            hub.receive(CHANNEL, {**body, "type": kind})
            hub.receive(channels.CONTROL, {**body, "type": kind})
        seq = max(hub._index.channels[CHANNEL].last_seq or 0, 0) + 1
        hub.receive(CHANNEL, {"type": messages.STATUS, "seq": seq, "frame": "after all"})
        assert lanes.texts[-1] == "after all" or lanes.closing
        assert all(text == "" or text.encode() for text in lanes.texts)
        await hub.stop()

    asyncio.run(scenario())

"""What anybody may publish on the channel layer must not stop the hub."""

from __future__ import annotations

from typing import Any

import pytest

from hunarmitra.protocol import channels, messages
from hunarmitra_ws.hub.hub import Hub, HubLimits
from hunarmitra_ws.hub.joining import JoinLimits

LIMITS = HubLimits(
    comparison_interval=60,
    revocation_interval=60,
    expiry_leeway=10,
    database_threads=1,
    relays=False,
    joins=JoinLimits(connections_per_user=20, replay_page_events=1000, replay_buffer_bytes=1000),
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

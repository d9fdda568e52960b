"""The first frame of both endpoints: the state that a client starts from."""

from __future__ import annotations

from datetime import UTC, datetime

import jwt
import pytest

from hunarmitra.common.clock import from_wire
from tests.support.actors import Actors
from tests.support.live import Newcomer, join, on_every_server
from tests.support.sockets import Frame
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")

COMMON = {"type", "message", "seq", "replay", "heartbeat_seconds", "expires_at", "server_time"}
LOCATION = {"type", "booking_id", "lat", "lng", "timestamp", "actor"}


def check_times(frame: Frame, token: str, asked: datetime) -> None:
    expiry = jwt.decode(token, options={"verify_signature": False})["exp"]
    assert from_wire(frame["expires_at"]) == datetime.fromtimestamp(expiry, UTC)
    assert asked <= from_wire(frame["server_time"]) <= datetime.now(UTC)
    assert frame["expires_at"].endswith("Z")
    assert frame["server_time"].endswith("Z")
    assert frame["heartbeat_seconds"] == 25


@on_every_server
async def test_a_booking_connection_begins_with_the_bookings_state(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    asked = datetime.now(UTC)
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        frame = socket.frames[0]
    assert frame.keys() == COMMON | {"booking_id", "status", "location"}
    assert frame["booking_id"] == booking
    assert frame["message"] == "Connected to booking updates"
    assert frame["status"] == "on_the_way"
    assert frame["seq"] == people.employer.booking(booking)["seq"] == 4
    assert frame["location"] is None
    assert frame["replay"] == 0
    check_times(frame, people.employer.token, asked)


async def test_the_snapshots_location_has_the_keys_of_a_location_update(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.employer.token) as before:
        people.worker.track(booking, 28.6, 77.2)
        update = await before.next_of("location_update")
        async with await join(live.booking_url(booking), people.admin.token) as after:
            assert after.frames[0]["location"] == update
    assert update.keys() >= LOCATION


async def test_a_requested_booking_has_a_status_and_no_location(live: Stack, people: Actors) -> None:
    booking = people.new_booking("requested")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        assert socket.frames[0]["status"] == "requested"
        assert socket.frames[0]["seq"] == 1
        assert socket.frames[0]["location"] is None


@on_every_server
async def test_a_notification_connection_begins_with_the_users_newest_seq(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    employer = newcomer()
    asked = datetime.now(UTC)
    async with await join(live.notifications_url(), employer.token) as socket:
        frame = socket.frames[0]
        assert frame.keys() == COMMON | {"title", "unread"}
        assert frame["title"]
        assert frame["message"] == "Connected to notifications"
        assert (frame["seq"], frame["unread"], frame["replay"]) == (0, 0, 0)
        check_times(frame, employer.token, asked)
    booking = employer.create_booking()["id"]
    people.admin.assign(booking, people.worker.id)
    async with await join(live.notifications_url(), employer.token) as socket:
        assert (socket.frames[0]["seq"], socket.frames[0]["unread"]) == (2, 2)

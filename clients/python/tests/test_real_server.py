"""The client against a running server, through the faulty proxy.

HUNARMITRA_BASE_URL is its URL; HUNARMITRA_EMPLOYER, HUNARMITRA_WORKER and HUNARMITRA_STAFF are `name:password`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from faulty_proxy import FaultyProxy

from hunarmitra_realtime import BookingStream, RealtimeConnection, Session
from hunarmitra_realtime.base import Stream
from hunarmitra_realtime.events import Backoff

BASE_URL = os.environ.get("HUNARMITRA_BASE_URL", "")
RUNS = int(os.environ.get("HUNARMITRA_FAULT_RUNS", "5"))
SEED = int(os.environ.get("HUNARMITRA_FAULT_SEED", "1"))
BACKOFF = Backoff(shortest=0.005, longest=0.05)
UNKNOWN = "00000000-0000-4000-8000-000000000000"
WITHIN = 300.0

pytestmark = pytest.mark.skipif(not BASE_URL, reason="no server to test against: set HUNARMITRA_BASE_URL")


class People:
    def __init__(self, employer: Session, worker: Session, staff: Session) -> None:
        self.employer, self.worker, self.staff = employer, worker, staff

    async def new_booking(self, address: str) -> str:
        answer = await self.employer.post("bookings/", {"service": "Plumbing", "address": address})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def assign(self, booking_id: str) -> None:
        worker_id = (await self.worker.get("users/me/"))["id"]
        assert (await self.staff.post(f"bookings/{booking_id}/assign/", {"worker_id": worker_id})).is_success

    async def change(self, booking_id: str, status: str) -> None:
        headers = {"Authorization": f"Bearer {await self.worker.token(False)}"}
        async with httpx.AsyncClient(base_url=f"{BASE_URL}/api/v1/", trust_env=False, timeout=WITHIN) as client:
            answer = await client.patch(f"bookings/{booking_id}/status/", json={"status": status}, headers=headers)
        assert answer.is_success, answer.text


@pytest.fixture
async def people() -> AsyncIterator[People]:
    async with AsyncExitStack() as stack:
        sessions = []
        for name in ("EMPLOYER", "WORKER", "STAFF"):
            session = await stack.enter_async_context(Session(BASE_URL))
            await session.sign_in(*os.environ[f"HUNARMITRA_{name}"].split(":", 1))
            sessions.append(session)
        yield People(*sessions)


async def statuses(stream: Stream, last: int) -> list[dict[str, Any]]:
    """The status events up to the seq `last`."""
    events = []
    async with asyncio.timeout(WITHIN):
        async for event in stream:
            if event.kind == "status" and event.data:
                events.append(event.data)
                if event.data["seq"] >= last:
                    return events
    raise AssertionError(f"the stream has ended: {stream.state}")


@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
async def test_streams_through_the_faulty_proxy_have_exactly_the_servers_log(people: People, seed: int) -> None:
    """Three bookings on one connection, and one of them on a connection of its own."""
    async with FaultyProxy(urlsplit(BASE_URL).port or 80, seed) as proxy:
        token = people.employer.token
        ids = [await people.new_booking(f"Run {seed}, {number}") for number in (1, 2, 3)]
        async with (
            RealtimeConnection(proxy.url, token=token, backoff=BACKOFF) as connection,
            BookingStream(proxy.url, ids[0], token=token, since=0, backoff=BACKOFF) as own,
        ):
            streams = {each: connection.booking(each, since=0) for each in ids}
            unknown = connection.booking(UNKNOWN)
            for each in ids:
                await people.assign(each)
            for status in ("on_the_way", "arrived", "completed"):
                for each in ids:
                    await people.change(each, status)
            proxy.calm()
            for each, stream in [*streams.items(), (ids[0], own)]:
                log = await people.employer.get(f"bookings/{each}/events/")
                assert await statuses(stream, log["seq"]) == log["results"]
                assert stream.status == "completed"
            async with asyncio.timeout(WITHIN):
                assert [event.kind async for event in unknown if event.kind not in {"state", "error"}] == []
            assert (unknown.state.reason, unknown.state.code) == ("forbidden", 4003)


async def test_staff_see_live_and_others_do_not(people: People) -> None:
    async with (
        RealtimeConnection(BASE_URL, token=people.staff.token) as connection,
        RealtimeConnection(BASE_URL, token=people.employer.token) as other,
    ):
        async with asyncio.timeout(WITHIN):
            refused = other.live()
            assert {event.kind async for event in refused} == {"state"}
        assert (refused.state.reason, refused.state.code, other.state.name) == ("forbidden", 4003, "live")
        live, bell = connection.live([77, 28, 78, 29], max_rate=10), connection.notifications()
        booking_id = await people.new_booking("Live")
        async with asyncio.timeout(WITHIN):
            async for event in live:
                if event.kind == "page" and event.data and event.data["last"]:
                    break
        await people.assign(booking_id)
        await people.change(booking_id, "on_the_way")
        assert (await people.worker.post(f"tracking/{booking_id}/", {"lat": 28.6139, "lng": 77.209})).is_success
        told = []
        async with asyncio.timeout(WITHIN):
            async for event in live:
                if event.data and event.data.get("booking_id") == booking_id:
                    told.append(event.data.get("status", event.data.get("lat")))
                    if event.kind == "location":
                        break
        assert told[-2:] == ["on_the_way", 28.6139]
        async with asyncio.timeout(WITHIN):
            async for event in bell:
                if event.kind == "snapshot":
                    break

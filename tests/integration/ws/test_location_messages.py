"""Locations over the worker's connection: accepted, answered, and shown to watchers, by REST's rules."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from tests.integration.ws.test_locations import ago
from tests.support.actors import Actors
from tests.support.live import Newcomer, join, live_stacks
from tests.support.postgres import PostgresServer
from tests.support.shapes import SHAPES
from tests.support.sockets import Frame, Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over")

HERE: dict[str, Any] = {"type": "location", "lat": 28.6139, "lng": 77.209}


async def answer(socket: Socket, message: dict[str, Any]) -> Frame:
    await socket.send(message)
    [*_, frame] = await socket.frames_until(lambda frame: frame["type"] in {"location_accepted", "error"})
    return frame


async def test_a_location_reaches_watchers_on_every_process_and_is_answered(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    told = {"accuracy": 4.5, "heading": 12, "speed": 3}
    async with (
        await join(live.booking_url(booking), people.worker.token) as worker,
        await join(live.booking_url(booking, pod=1), people.employer.token) as watcher,
    ):
        accepted = await answer(worker, {**HERE, **told, "id": "a1"})
        assert accepted["booking_id"] == booking
        assert (accepted["id"], accepted["next_in_ms"]) == ("a1", 0)
        seen = await watcher.next_of("location_update")
        assert {**told, "lat": 28.6139, "lng": 77.209}.items() <= seen.items()
        assert seen["timestamp"] == accepted["timestamp"]
        assert seen["actor"] == people.worker.user.name
        # The sender knows where it is.
        assert [frame["type"] for frame in await worker.synchronized()] == []
    assert people.employer.location(booking)["lat"] == 28.6139


@pytest.mark.parametrize(
    ("change", "key"),
    [({"lat": 91}, "lat"), ({"lng": "77"}, "lng"), ({"lat": None}, "lat"), ({"timestamp": "now"}, "timestamp"),
     ({"timestamp": "9999-01-01T00:00:00Z"}, "timestamp"), ({"heading": 360}, "heading"), ({"speed": True}, "speed")],
)  # fmt: skip
async def test_a_bad_value_is_an_error_that_names_the_key(
    live: Stack, people: Actors, change: dict[str, Any], key: str
) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.worker.token) as worker:
        error = await answer(worker, {**HERE, **change, "id": "b"})
        assert (error["code"], error["id"]) == ("invalid_message", "b")
        assert key in error["message"]
    people.employer.location(booking, expect=404)


async def test_an_id_is_a_short_string(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.worker.token) as worker:
        for bad in (7, "x" * 37, [""]):
            assert (await answer(worker, {**HERE, "id": bad}))["code"] == "invalid_message"
        assert (await answer(worker, {**HERE, "id": "x" * 36}))["id"] == "x" * 36


async def test_half_a_character_in_an_id_disturbs_nobody(live: Stack, people: Actors) -> None:
    """JSON can spell half a surrogate pair, and UTF-8 cannot encode it. The answers of one batch are sent together."""
    bookings = [people.new_booking("on_the_way") for _ in range(2)]
    sockets = [await join(live.booking_url(booking), people.worker.token) for booking in bookings]
    try:
        answers = await asyncio.gather(
            *(answer(socket, {**HERE, "id": text}) for socket, text in zip(sockets, ("\ud800", "b"), strict=True))
        )
        assert [(each["type"], each["id"]) for each in answers] == [
            ("location_accepted", "\ud800"),
            ("location_accepted", "b"),
        ]
        assert (await answer(sockets[0], {**HERE, "lat": 91, "id": "\udfff"}))["id"] == "\udfff"
        assert (await answer(sockets[0], {**HERE, "id": "c"}))["id"] == "c"
    finally:
        for socket in sockets:
            await socket.close()


@pytest.fixture(scope="module")
def gathering(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Stack]:
    """Locations wait for a second before they are stored."""
    with live_stacks(tmp_path_factory.mktemp("gathering"), postgres_server, WS_LOCATION_BATCH_MS="1000") as stack_of:
        yield stack_of("embedded")


async def test_who_may_not_send_holds_back_no_location_of_the_worker(gathering: Stack) -> None:
    with closing(Actors.of(gathering)) as people:
        booking = people.new_booking("on_the_way")
        async with (
            await join(gathering.booking_url(booking), people.worker.token) as worker,
            await join(gathering.booking_url(booking), people.employer.token) as owner,
        ):
            await worker.send({**HERE, "id": "own"})
            await worker.synchronized()
            for _ in range(3):
                await owner.send({**HERE, "lat": 1})
            told = [await owner.next_of("error") for _ in range(3)]
            assert [each["code"] for each in told] == ["not_allowed"] * 3
            [*_, own] = await worker.frames_until(lambda frame: frame["type"] in {"location_accepted", "error"})
            assert (own["type"], own["id"]) == ("location_accepted", "own")
        assert people.employer.location(booking)["lat"] == HERE["lat"]


async def test_the_rules_and_codes_are_rests(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with (
        await join(live.booking_url(booking), people.worker.token) as worker,
        await join(live.booking_url(booking), people.employer.token) as owner,
    ):
        assert (await answer(owner, HERE))["code"] == "not_allowed"
        assert (await answer(worker, {**HERE, "timestamp": ago(5)}))["type"] == "location_accepted"
        assert (await answer(worker, {**HERE, "timestamp": ago(60)}))["code"] == "stale_position"
        people.worker.status(booking, "arrived")
        people.worker.status(booking, "completed")
        assert (await answer(worker, HERE))["code"] == "not_tracked"


@pytest.mark.parametrize("over", ["endpoint"], indirect=True)
async def test_staff_may_send_and_notifications_may_not(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.admin.token) as staff:
        assert (await answer(staff, HERE))["type"] == "location_accepted"
    async with await join(live.notifications_url(), people.worker.token) as notifications:
        assert (await answer(notifications, HERE))["code"] == "unknown_type"


async def test_a_reassigned_worker_is_disconnected_and_sends_nothing_more(
    live: Stack, people: Actors, newcomer: Newcomer
) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.worker.token) as worker:
        people.admin.assign(booking, newcomer("worker").id)
        await worker.send(HERE)
        assert (await worker.closed())[0] == 4003
    people.employer.location(booking, expect=404)


async def test_a_worker_learns_at_once_that_somebody_watches(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.worker.token) as worker:
        assert (await answer(worker, HERE))["next_in_ms"] == 15_000
        async with await join(live.booking_url(booking, pod=1), people.employer.token):
            pace = await worker.next_of("pace")
            assert (pace["booking_id"], pace["next_in_ms"]) == (booking, 0)
            assert (await answer(worker, HERE))["next_in_ms"] == 0


async def test_many_workers_of_one_moment_are_all_answered(live: Stack, people: Actors) -> None:
    """They share a few statements; each gets the answer to its own message."""
    bookings = [people.new_booking("on_the_way") for _ in range(15)]
    sockets = [await join(live.booking_url(booking), people.worker.token) for booking in bookings]
    try:
        answers = await asyncio.gather(
            *(answer(socket, {**HERE, "lat": 28 + n / 100, "id": str(n)}) for n, socket in enumerate(sockets))
        )
        assert [(each["type"], each["booking_id"], each["id"]) for each in answers] == [
            ("location_accepted", booking, str(n)) for n, booking in enumerate(bookings)
        ]
        for n, booking in enumerate(bookings):
            assert people.employer.location(booking)["lat"] == 28 + n / 100
    finally:
        for socket in sockets:
            await socket.close()


@pytest.fixture(scope="module", params=SHAPES)
def patient(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer
) -> Iterator[Stack]:
    """One location holds for a minute: longer than by default, so that all are answered in time on any machine."""
    with live_stacks(tmp_path_factory.mktemp("patient"), postgres_server, TRACKING_MIN_INTERVAL="60") as stack_of:
        yield stack_of(request.param)


async def test_of_locations_by_rest_and_by_connections_at_once_one_is_accepted(patient: Stack) -> None:
    people = Actors.of(patient)
    booking = people.new_booking("on_the_way")
    connections = [await join(patient.booking_url(booking, pod), people.worker.token) for pod in range(4)]

    async def send_all(socket: Socket) -> list[str]:
        for _ in range(10):
            await socket.send(HERE)
        frames: list[Frame] = []
        while len(frames) < 10:
            frame = await socket.next_frame()
            frames += [frame] if frame["type"] in {"location_accepted", "error"} else []
        return [frame.get("code", "accepted") for frame in frames]

    async def post(client: httpx.AsyncClient) -> str:
        answer = await client.post(f"/api/v1/tracking/{booking}/", json={"lat": 28.6, "lng": 77.2})
        return "accepted" if answer.status_code == 200 else f"{answer.status_code}"

    headers = {"Authorization": f"Bearer {people.worker.token}"}
    try:
        async with httpx.AsyncClient(base_url=patient.base_url, headers=headers, timeout=60) as client:
            posts, *sent = await asyncio.gather(
                asyncio.gather(*(post(client) for _ in range(40))), *(send_all(socket) for socket in connections)
            )
    finally:
        for socket in connections:
            await socket.close()
        people.close()
    outcomes = Counter([*posts, *(outcome for answers in sent for outcome in answers)])
    assert outcomes["accepted"] == 1
    assert set(outcomes) == {"accepted", "429", "too_soon"}
    assert outcomes.total() == 80

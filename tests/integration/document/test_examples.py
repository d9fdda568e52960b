"""Every JSON example of the API document, executed or held against what really arrives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import contract
from tests.support.actors import PATH_OF_A_BOOKING, Actors
from tests.support.live import join, rejection
from tests.support.sockets import Frame
from tests.support.stack import Stack

pytestmark = pytest.mark.either_shape

EXAMPLES = dict(contract.json_examples()[:3])
REQUEST, RESPONSE = (example for heading, example in contract.json_examples() if heading == "Update Worker Location")
TEXT = contract.text_of("realtime-api.md")


def check(frame: Frame, example: dict[str, Any]) -> None:
    """Every key of the example is there with a value of its kind; further keys may be."""
    assert list(frame)[: len(example)] == list(example)
    for key, value in example.items():
        assert type(frame[key]) is type(value), key
        if key in {"type", "status", "event_type", "message"}:
            assert frame[key] == value
        if key == "timestamp":
            assert frame[key].endswith("Z")
            assert len(frame[key]) >= len(value)


async def test_booking_status(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("confirmed")
    async with await join(stack.booking_url(booking), actors.employer.token) as socket:
        actors.worker.status(booking, "on_the_way")
        frame = await socket.next_of("booking_status")
    check(frame, EXAMPLES["Booking Status Update"])
    assert frame["booking_id"] == booking
    assert frame["actor"] == actors.worker.user.name


async def test_location_update_by_the_documented_request(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("on_the_way")
    async with await join(stack.booking_url(booking), actors.employer.token) as socket:
        answer = actors.worker.call("POST", f"tracking/{booking}/", REQUEST)
        frame = await socket.next_of("location_update")
    assert answer == RESPONSE | {"booking_id": booking, "next_in_ms": answer["next_in_ms"]}, "only the added key"
    example = EXAMPLES["Location Update"]
    check(frame, example)
    own = {"booking_id": booking, "actor": actors.worker.user.name}
    assert {key: frame[key] for key in example} == example | own


async def test_connection_established(stack: Stack, actors: Actors) -> None:
    booking = actors.new_booking("confirmed")
    async with await join(stack.booking_url(booking), actors.employer.token) as socket:
        frame = socket.frames[0]
    check(frame, EXAMPLES["Connection Established"])
    assert frame["booking_id"] == booking


async def test_ping_and_pong(stack: Stack, actors: Actors) -> None:
    assert '> {"type": "ping"}\n< {"type": "pong"}' in TEXT
    async with await join(stack.notifications_url(), actors.employer.token) as socket:
        await socket.send({"type": "ping"})
        assert await socket.next_frame() == {"type": "pong"}


def test_the_timestamp_of_a_location_is_optional(actors: Actors) -> None:
    booking = actors.new_booking("on_the_way")
    body = {key: value for key, value in REQUEST.items() if key != "timestamp"}
    answer = actors.worker.call("POST", f"tracking/{booking}/", body)
    assert answer.keys() == RESPONSE.keys() | {"next_in_ms"}
    assert answer["location"].keys() == RESPONSE["location"].keys()


def test_who_may_post_a_location(actors: Actors) -> None:
    for allowed in (actors.worker, actors.admin):
        allowed.call("POST", f"tracking/{actors.new_booking('on_the_way')}/", REQUEST)
    booking = actors.new_booking("on_the_way")
    actors.employer.call("POST", f"tracking/{booking}/", REQUEST, expect=403)
    actors.other_worker.call("POST", f"tracking/{booking}/", REQUEST, expect=404)


def test_one_location_in_two_seconds(actors: Actors) -> None:
    _, refused = actors.second_position_at_once()
    assert refused.status_code == 429
    assert refused.headers["Retry-After"] in {"1", "2"}


async def test_every_documented_status_is_shown_to_watchers(stack: Stack, actors: Actors) -> None:
    seen = set()
    for final in ("completed", "cancelled"):
        booking = actors.new_booking(final)
        async with await join(stack.booking_url(booking), actors.employer.token, since=0) as socket:
            newest = socket.frames[0]["seq"]
            seen |= {frame["status"] for frame in await socket.until_seq(newest)}
    assert seen == {"requested", *PATH_OF_A_BOOKING, "cancelled"}
    assert all(f"- `{status}` - " in TEXT for status in seen)


@pytest.mark.parametrize("endpoint", ["booking", "notifications"])
async def test_who_may_subscribe_and_with_which_code_others_are_closed(
    stack: Stack, actors: Actors, endpoint: str
) -> None:
    url = stack.booking_url(actors.new_booking()) if endpoint == "booking" else stack.notifications_url()
    for person in (actors.employer, actors.worker, actors.admin):
        await (await join(url, person.token)).close()
    assert (await rejection(url))[1] == 4001
    assert (await rejection(url, "invalid"))[1] == 4001
    if endpoint == "booking":
        assert (await rejection(url, actors.stranger.token))[1] == 4003

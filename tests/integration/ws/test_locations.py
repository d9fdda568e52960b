"""Where the worker is: the newest position wins, and only while it may be seen."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from hunarmitra.common.clock import from_wire, to_wire
from tests.support.actors import Actors
from tests.support.live import Newcomer, join
from tests.support.shell import Shell
from tests.support.sockets import Frame, Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")

KEYS = {"type", "booking_id", "lat", "lng", "timestamp", "actor"}


def publish_stale_location(booking_id: str, seq: int, order: int) -> None:
    """Publish a location as a slow process does, after newer messages were published."""
    from uuid import UUID

    from hunarmitra.outbox.publishing import publish_event
    from hunarmitra.protocol import channels, messages

    frame = '{"type":"location_update","stale":true}'
    message = messages.location_message(channels.booking_channel(UUID(booking_id)), seq=seq, order=order, frame=frame)
    publish_event(message.channel, message.body)


def ago(seconds: float) -> str:
    return to_wire(datetime.now(UTC) - timedelta(seconds=seconds))


async def next_position(socket: Socket) -> Frame:
    return await socket.next_of("location_update")


async def test_a_location_has_the_documented_keys_and_numbers(live: Stack, people: Actors) -> None:
    booking = people.new_booking("confirmed", lat=None, lng=None)
    async with await join(live.booking_url(booking, pod=1), people.employer.token) as socket:
        people.worker.track(booking, 28, 77.25, timestamp="2026-01-03T16:35:00+05:30")
        frame = await next_position(socket)
    assert frame.keys() == KEYS  # no estimate without a site
    assert frame["booking_id"] == booking
    assert (frame["lat"], frame["lng"]) == (28.0, 77.25)
    assert type(frame["lng"]) is float
    assert frame["timestamp"] == "2026-01-03T11:05:00Z"
    assert frame["actor"] == people.worker.user.name


async def test_a_naive_timestamp_is_an_error_and_reaches_nobody(live: Stack, people: Actors) -> None:
    booking = people.new_booking("confirmed")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        answer = people.worker.track(booking, 28.6, 77.2, timestamp="2026-01-03T11:05:00", expect=400)
        assert "timestamp" in answer["fields"]
        assert await socket.synchronized() == []


async def test_an_estimate_is_a_whole_number_of_minutes_from_one(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way", lat="28.700000", lng="77.200000")
    first, second, third = ago(120), ago(60), ago(1)
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.track(booking, 28.60, 77.2, timestamp=first)
        assert "eta_minutes" not in await next_position(socket)  # one position has no speed
        people.worker.track(booking, 28.61, 77.2, timestamp=second)  # 1.1 km in a minute, 10 km to go
        far = (await next_position(socket))["eta_minutes"]
        assert type(far) is int
        assert 8 <= far <= 10
        people.worker.track(booking, 28.62, 77.2, timestamp=third)
        shown = (await next_position(socket))["eta_minutes"]
        assert 7 <= shown <= 9
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        assert socket.frames[0]["location"]["eta_minutes"] == shown
        assert people.employer.booking(booking)["eta_minutes"] == shown
        assert people.employer.location(booking)["eta_minutes"] == shown


async def test_the_last_metres_take_one_minute(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way", lat="28.630000", lng="77.200000")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        for lat, seconds in ((28.60, 120), (28.61, 60), (28.6299, 1)):
            people.worker.track(booking, lat, 77.2, timestamp=ago(seconds))
        frames = [await next_position(socket) for _ in range(3)]
        assert frames[-1]["eta_minutes"] == 1


async def test_a_jump_no_vehicle_can_make_has_no_estimate(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way", lat="28.700000", lng="77.200000")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        for lat, seconds in ((28.60, 120), (28.61, 60), (28.6999, 1)):  # at last 10 km in a minute
            people.worker.track(booking, lat, 77.2, timestamp=ago(seconds))
        frames = [await next_position(socket) for _ in range(3)]
        assert "eta_minutes" not in frames[-1]
    assert people.employer.booking(booking)["eta_minutes"] is None


async def test_what_a_phone_tells_of_its_fix_reaches_watchers_and_rest(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    told = {"accuracy": 7.5, "heading": 359.9, "speed": 8.25}
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        answer = people.worker.call("POST", f"tracking/{booking}/", {"lat": 28.6, "lng": 77.2, **told}, expect=200)
        frame = await next_position(socket)
        assert told.items() <= frame.items()
        assert told.items() <= answer["location"].items()
        assert told.items() <= people.employer.location(booking).items()
        assert "uncertain" not in frame
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        assert told.items() <= socket.frames[0]["location"].items()


@pytest.mark.parametrize("vague", [{"lat": 0, "lng": 0}, {"lat": 28.6, "lng": 77.2, "accuracy": 200.5}])
async def test_a_vague_location_is_accepted_and_marked(live: Stack, people: Actors, vague: dict[str, float]) -> None:
    booking = people.new_booking("on_the_way", lat="28.700000", lng="77.200000")
    people.worker.track(booking, 28.60, 77.2, timestamp=ago(60))
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        answer = people.worker.call("POST", f"tracking/{booking}/", vague, expect=200)
        frame = await next_position(socket)
        assert answer["location"]["uncertain"] is frame["uncertain"] is True
        assert "eta_minutes" not in frame
    assert people.employer.location(booking)["uncertain"] is True


@pytest.mark.parametrize(
    ("key", "value"),
    [("accuracy", -1), ("accuracy", 100_001), ("heading", 360), ("heading", -0.1), ("speed", 150.1), ("speed", "8"),
     ("accuracy", True)],
)  # fmt: skip
def test_a_bad_value_of_a_fix_is_an_error_that_names_it(live: Stack, people: Actors, key: str, value: object) -> None:
    booking = people.new_booking("on_the_way")
    answer = people.worker.call("POST", f"tracking/{booking}/", {"lat": 28.6, "lng": 77.2, key: value}, expect=400)
    assert list(answer["fields"]) == [key]


def test_of_an_array_the_newest_counts(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    moments = [ago(30), ago(5), ago(60)]
    body = [{"lat": 28.5 + n, "lng": 77.2, "timestamp": moment} for n, moment in enumerate(moments)]
    ahead = {"lat": 1.0, "lng": 1.0, "timestamp": ago(-120)}
    answer = people.worker.call("POST", f"tracking/{booking}/", [*body, ahead], expect=200)
    assert (answer["accepted"], answer["dropped"]) == (1, 3)
    assert (answer["location"]["lat"], answer["location"]["timestamp"]) == (29.5, moments[1])
    older = people.worker.call("POST", f"tracking/{booking}/", [body[0], body[2]], expect=409)
    assert older["code"] == "stale_position"
    for none_acceptable in ([], [ahead], [{"lat": 1.0}], [1], [body[0]] * 501):
        people.worker.call("POST", f"tracking/{booking}/", none_acceptable, expect=400)


async def test_who_has_arrived_is_no_minutes_away(live: Stack, people: Actors) -> None:
    """Positions are still shown, but not how long it takes to a place that the worker is at."""
    booking = people.new_booking("on_the_way", lat="28.700000", lng="77.200000")
    people.worker.track(booking, 28.60, 77.2, timestamp=ago(120))
    people.worker.track(booking, 28.61, 77.2, timestamp=ago(60))
    people.worker.status(booking, "arrived")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        assert "eta_minutes" not in socket.frames[0]["location"]
        people.worker.track(booking, 28.62, 77.2, timestamp=ago(1))
        assert "eta_minutes" not in await next_position(socket)
    assert people.employer.booking(booking)["eta_minutes"] is None
    assert "eta_minutes" not in people.employer.location(booking)


async def test_a_location_from_the_future_counts_from_its_receipt(live: Stack, people: Actors) -> None:
    booking = people.new_booking("on_the_way")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.track(booking, 28.1, 77.1, timestamp=ago(-50))
        first = await next_position(socket)
        assert from_wire(first["timestamp"]) <= datetime.now(UTC)
        people.worker.track(booking, 28.2, 77.2)
        second = await next_position(socket)
        assert (second["lat"], second["timestamp"] > first["timestamp"]) == (28.2, True)


async def test_an_older_location_is_never_sent_after_a_newer_one(live: Stack, people: Actors, shell: Shell) -> None:
    booking = people.new_booking("on_the_way")
    first, second, third = ago(20), ago(10), ago(5)
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.track(booking, 28.2, 77.2, timestamp=second)
        people.worker.track(booking, 28.1, 77.1, timestamp=first, expect=409)
        shell.call(publish_stale_location, booking_id=booking, seq=4, order=1)  # accepted earlier, published late
        people.worker.track(booking, 28.3, 77.3, timestamp=third)
        assert [frame["lat"] for frame in await positions_until(socket, 28.3)] == [28.2, 28.3]


async def test_two_locations_of_one_time_are_both_sent(live: Stack, people: Actors) -> None:
    """The server took both, as of a phone that has no newer fix: the second is what REST shows, and so do sockets."""
    booking = people.new_booking("on_the_way")
    moment = ago(10)
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.worker.track(booking, 28.1, 77.1, timestamp=moment)
        assert (await next_position(socket))["lat"] == 28.1  # before the second could replace it unsent
        people.worker.track(booking, 28.2, 77.2, timestamp=moment)
        assert [frame["lat"] for frame in await positions_until(socket, 28.2)] == [28.2]


async def positions_until(socket: Socket, lat: float) -> list[Frame]:
    frames = await socket.frames_until(lambda frame: frame.get("lat") == lat)
    return [{"lat": frame.get("lat")} for frame in frames if frame["type"] == "location_update"]


async def test_a_location_may_be_posted_and_seen_while_confirmed_on_the_way_and_arrived(
    live: Stack, people: Actors
) -> None:
    booking = people.new_booking("requested")
    people.admin.track(booking, 28.0, 77.0, expect=409)
    people.admin.assign(booking, people.worker.id)
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        for number, status in enumerate(("confirmed", "on_the_way", "arrived"), 1):
            people.worker.status(booking, status)
            people.worker.track(booking, float(number), 77.0)
            assert (await next_position(socket))["lat"] == number
            async with await join(live.booking_url(booking), people.employer.token) as later:
                assert later.frames[0]["location"]["lat"] == number


async def test_nothing_of_the_location_is_left_after_the_end(live: Stack, people: Actors, shell: Shell) -> None:
    for ending in ("completed", "cancelled"):
        booking = people.new_booking("arrived")
        people.worker.track(booking, 28.1, 77.1)
        async with await join(live.booking_url(booking), people.employer.token) as socket:
            assert socket.frames[0]["location"]["lat"] == 28.1
            (people.worker if ending == "completed" else people.employer).status(booking, ending)
            await socket.until_seq(6)
            # Accepted before the end, published after it; and one that claims to be new.
            shell.call(publish_stale_location, booking_id=booking, seq=5, order=2**60)
            people.worker.track(booking, 28.2, 77.2, expect=409)
            async with await join(live.booking_url(booking), people.employer.token) as later:
                assert (later.frames[0]["status"], later.frames[0]["location"]) == (ending, None)
            assert await socket.synchronized() == []
        people.employer.location(booking, expect=404)


async def test_a_reassignment_hides_the_former_workers_location(live: Stack, people: Actors, shell: Shell) -> None:
    booking = people.new_booking("on_the_way")
    people.worker.track(booking, 28.1, 77.1)
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        people.admin.assign(booking, people.other_worker.id)
        await socket.until_seq(5)
        shell.call(publish_stale_location, booking_id=booking, seq=4, order=2**60)
        async with await join(live.booking_url(booking), people.employer.token) as later:
            assert later.frames[0]["location"] is None
        people.worker.track(booking, 28.2, 77.2, expect=404)
        # The new worker's own may be older than the former worker's last one.
        people.other_worker.track(booking, 28.3, 77.3, timestamp=ago(3600))
        frames = await socket.frames_until(lambda frame: frame["type"] == "location_update")
        assert [frame["lat"] for frame in frames] == [28.3]
        assert frames[0]["actor"] == people.other_worker.user.name


async def test_a_location_that_staff_posts_is_by_staff(live: Stack, people: Actors, newcomer: Newcomer) -> None:
    booking = people.new_booking("on_the_way")
    admin = newcomer("admin", name="Support")
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        admin.track(booking, 28.1, 77.1)
        assert (await next_position(socket))["actor"] == "Support"


async def test_the_pace_follows_who_watches(live: Stack, people: Actors) -> None:
    """Embedded, where the process' own bus counts nobody, a booking always counts as watched."""
    booking = people.new_booking("on_the_way")
    alone = people.worker.track(booking, 28.6, 77.2)["next_in_ms"]
    async with await join(live.booking_url(booking), people.employer.token):
        watched = people.worker.track(booking, 28.6, 77.2)["next_in_ms"]
    assert watched == 0  # the tests' least interval
    assert alone == (15_000 if live.kind == "distributed" else 0)


async def test_what_the_worker_said_counts_until_the_fixes_tell_more(live: Stack, people: Actors) -> None:
    booking = people.new_booking("confirmed", lat="28.700000", lng="77.200000")
    people.worker.status(booking, "on_the_way", eta_minutes=25)
    shown = []
    async with await join(live.booking_url(booking), people.employer.token) as socket:
        for lat, seconds in ((28.60, 50), (28.60, 40), (28.60, 30), (28.60, 20)):  # at rest
            people.worker.track(booking, lat, 77.2, timestamp=ago(seconds))
            shown.append((await next_position(socket)).get("eta_minutes"))
            assert people.employer.booking(booking)["eta_minutes"] == shown[-1]
    assert shown == [25, 25, None, None]

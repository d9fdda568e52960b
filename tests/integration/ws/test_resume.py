"""Resuming with `since` on both endpoints: exactly what came later, once, in order, then live."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.support.actors import Actors
from tests.support.live import PAGE, Newcomer, Person, join, on_every_server
from tests.support.shell import Shell
from tests.support.sockets import Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over")

NEWEST = 5


@dataclass
class Log:
    """An endpoint whose log stands at 5, and how to make it grow by one."""

    live: Stack
    people: Actors
    person: Person
    booking: str
    url: str
    kind: str
    _workers: int = 0

    async def resume(self, since: int | str | None) -> Socket:
        return await join(self.url, self.person.token, since=since)

    def grow(self) -> None:
        """A reassignment: one event for the booking, one notification for its owner."""
        worker = (self.people.other_worker, self.people.worker)[self._workers % 2]
        self._workers += 1
        self.people.admin.assign(self.booking, worker.id)


@pytest.fixture(params=["booking_status", "notification"])
def log(request: pytest.FixtureRequest, live: Stack, people: Actors, newcomer: Newcomer) -> Log:
    person = newcomer()
    booking = str(person.create_booking()["id"])
    people.admin.assign(booking, people.worker.id)
    for status in ("on_the_way", "arrived")[: 2 if request.param == "booking_status" else 1]:
        people.worker.status(booking, status)
    url = live.booking_url(booking, pod=1) if request.param == "booking_status" else live.notifications_url(pod=1)
    made = Log(live, people, person, booking, url, request.param)
    if request.param == "notification":
        made.grow()
        made.grow()
    return made


async def check_live(log: Log, socket: Socket) -> None:
    """The next event arrives, and nothing else came before it."""
    log.grow()
    frames = await socket.until_seq(NEWEST + 1)
    assert [frame["seq"] for frame in frames] == [NEWEST + 1]


@on_every_server
@pytest.mark.parametrize("since", range(NEWEST + 1))
async def test_every_later_event_follows_then_live(log: Log, since: int) -> None:
    async with await log.resume(since) as socket:
        first = socket.frames[0]
        assert (first["seq"], first["replay"]) == (NEWEST, NEWEST - since)
        await check_live_after(log, socket, since)


async def check_live_after(log: Log, socket: Socket, since: int) -> None:
    log.grow()
    frames = await socket.until_seq(NEWEST + 1)
    assert [frame["seq"] for frame in frames] == list(range(since + 1, NEWEST + 2))
    assert {frame["type"] for frame in frames} == {log.kind}
    assert await socket.synchronized() == []


async def test_a_replayed_frame_is_what_was_sent_live(log: Log) -> None:
    async with await log.resume(None) as socket:
        log.grow()
        seen = (await socket.until_seq(NEWEST + 1))[-1]
    async with await log.resume(NEWEST) as socket:
        assert (await socket.until_seq(NEWEST + 1))[-1] == seen


async def test_without_since_there_is_no_replay(log: Log) -> None:
    async with await log.resume(None) as socket:
        assert (socket.frames[0]["seq"], socket.frames[0]["replay"]) == (NEWEST, 0)
        await check_live(log, socket)


@pytest.mark.parametrize(
    "since",
    [NEWEST + 1, 10**17, "9" * 18, "9" * 19, "9" * 5_000, "", "abc", "-1", "+1", "1.0", "1e1", "0x1", " 1", "1 ", "१",
     "1\n", "1_0", "null"],
    ids=lambda since: str(since)[:20] or "empty",
)  # fmt: skip
async def test_what_cannot_be_replayed_gets_resync_required_and_then_live(log: Log, since: int | str) -> None:
    async with await log.resume(since) as socket:
        first = socket.frames[0]
        assert (first["seq"], first["replay"]) == (NEWEST, 0)
        assert await socket.next_frame() == {"type": "resync_required", "seq": NEWEST}
        await check_live(log, socket)


async def test_leading_zeros_are_a_number_all_the_same(log: Log) -> None:
    async with await log.resume("000000000000000003") as socket:
        assert socket.frames[0]["replay"] == NEWEST - 3


@on_every_server
async def test_a_log_of_several_pages_arrives_whole_and_then_live(log: Log) -> None:
    """`PAGE` events are read at once; those that are committed while the client takes them follow too."""
    newest = NEWEST
    while newest < 2 * PAGE + NEWEST:
        log.grow()
        newest += 1
    for since in (0, newest - 2 * PAGE, newest - PAGE - 1, newest - PAGE):
        async with await log.resume(since) as socket:
            assert (socket.frames[0]["seq"], socket.frames[0]["replay"]) == (newest, newest - since)
            log.grow()
            frames = await socket.until_seq(newest + 1)
            assert [frame["seq"] for frame in frames] == list(range(since + 1, newest + 2))
            assert await socket.synchronized() == []
        newest += 1


def finish_long_ago(booking_id: str) -> None:
    from hunarmitra.bookings.models import Booking

    Booking.objects.filter(pk=booking_id).update(finished_at="2020-01-01T00:00:00Z")


def read_first_two_notifications_long_ago(user_id: str) -> None:
    from hunarmitra.notifications.models import Notification

    old = "2020-01-01T00:00:00Z"
    Notification.objects.filter(user_id=user_id, seq__lte=2).update(created_at=old, read_at=old)


async def test_a_pruned_bookings_log_is_not_replayed_in_part(live: Stack, people: Actors, shell: Shell) -> None:
    booking, url = people.new_booking("completed"), ""
    shell.call(finish_long_ago, booking_id=booking)
    live.manage("prune")
    url = live.booking_url(booking)
    for since in (0, 3, 5):
        async with await join(url, people.employer.token, since=since) as socket:
            assert (socket.frames[0]["seq"], socket.frames[0]["replay"]) == (6, 0)
            assert await socket.next_frame() == {"type": "resync_required", "seq": 6}
    for wanted in (6, None):
        async with await join(url, people.employer.token, since=wanted) as socket:
            assert socket.frames[0]["seq"] == 6
            assert await socket.synchronized() == []


async def test_pruned_notifications_are_not_replayed_in_part(
    live: Stack, people: Actors, newcomer: Newcomer, shell: Shell
) -> None:
    person = newcomer()
    booking = str(person.create_booking()["id"])
    people.admin.assign(booking, people.worker.id)
    for status in ("on_the_way", "arrived"):
        people.worker.status(booking, status)
    shell.call(read_first_two_notifications_long_ago, user_id=person.id)
    live.manage("prune")
    for since in (0, 1):
        async with await join(live.notifications_url(), person.token, since=since) as socket:
            assert (socket.frames[0]["seq"], socket.frames[0]["replay"]) == (4, 0)
            assert await socket.next_frame() == {"type": "resync_required", "seq": 4}
    async with await join(live.notifications_url(), person.token, since=2) as socket:
        assert [frame["seq"] for frame in await socket.until_seq(4)] == [3, 4]

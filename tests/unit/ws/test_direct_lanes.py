"""The lanes of our own server: what is written in which order, and what happens when the client does not read."""

from __future__ import annotations

import asyncio

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.direct_lanes import SLOTS_PER_WRITE, DirectLanes
from hunarmitra_ws.server.write_queue import SLICE, WriteQueue


class FakeConnection:
    """Takes everything until ``full``."""

    heard_at = 0.0

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.full = False
        self.close_code: CloseCode | None = None
        self.aborts_later = False

    def write(self, data: bytes) -> int:
        self.writes.append(data)
        return len(data) if self.full else 0

    def close_with(self, code: CloseCode) -> None:
        self.close_code = code

    def abort_later(self) -> None:
        self.aborts_later = True


def _frame(text: str) -> OutgoingFrame:
    return OutgoingFrame(text)


async def _turn() -> None:
    """Let the queue run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _lanes(limit: int = 1000) -> tuple[DirectLanes, FakeConnection]:
    connection = FakeConnection()
    return DirectLanes(connection, WriteQueue(asyncio.get_running_loop()), limit), connection


async def test_what_gathers_in_one_turn_leaves_in_one_write_status_first() -> None:
    lanes, connection = _lanes()
    lanes.set_location(_frame("here"))
    lanes.push(_frame("one"))
    lanes.push(_frame("two"))
    await _turn()
    assert connection.writes == [_frame("one").framed + _frame("two").framed, _frame("here").framed]


async def test_a_client_that_does_not_read_gets_the_newest_location_and_every_event() -> None:
    lanes, connection = _lanes()
    connection.full = True
    lanes.push(_frame("one"))
    await _turn()
    conflated = metrics.locations_conflated.values[""]
    for location in ("a", "b", "c"):
        lanes.set_location(_frame(location))
    lanes.push(_frame("two"))
    await _turn()
    assert connection.writes == [_frame("one").framed]
    connection.full = False
    lanes.flushed()
    await _turn()
    assert connection.writes[1:] == [_frame("two").framed, _frame("c").framed]
    assert metrics.locations_conflated.values[""] - conflated == 2


async def test_bookings_take_turns_and_each_is_sent_its_newest_location_after_every_event() -> None:
    lanes, connection = _lanes()
    connection.full = True
    lanes.push(_frame("one"))
    await _turn()
    conflated = metrics.locations_conflated.values[""]
    busy, *quiet = (object() for _ in range(SLOTS_PER_WRITE + 2))
    for number in range(50):
        lanes.set_location_of(busy, _frame(f"busy {number}"))
    for number, slot in enumerate(quiet):
        lanes.set_location_of(slot, _frame(f"quiet {number}"))
    lanes.set_location_of(busy, _frame("busy"))
    lanes.clear_location_of(quiet[0])
    lanes.push(_frame("two"))
    connection.full = False
    lanes.flushed()
    await _turn()
    first = [_frame("busy").framed, *(_frame(f"quiet {number}").framed for number in range(1, SLOTS_PER_WRITE))]
    assert connection.writes[1:] == [_frame("two").framed, b"".join(first), _frame(f"quiet {SLOTS_PER_WRITE}").framed]
    assert metrics.locations_conflated.values[""] - conflated == 50
    connection.full = True
    lanes.set_location_of(busy, _frame("busy again"))
    await _turn()
    lanes.set_location_of(busy, _frame("not read"))
    lanes.close(CloseCode.DRAINING)
    connection.full = False
    lanes.flushed()
    await _turn()
    assert connection.writes[-1] == _frame("busy again").framed


async def test_overflow_drops_the_lanes_and_closes_4008() -> None:
    lanes, connection = _lanes(limit=240)
    closed = metrics.slow_clients_closed.values[""]
    connection.full = True
    lanes.push(_frame("x" * 90))
    await _turn()
    lanes.push(_frame("y" * 90))
    before = lanes.closing
    lanes.push(_frame("z" * 90))
    assert (before, lanes.closing) == (False, True)
    assert connection.close_code is CloseCode.TOO_SLOW
    connection.full = False
    lanes.flushed()
    await _turn()
    assert connection.writes == [_frame("x" * 90).framed]
    assert metrics.slow_clients_closed.values[""] - closed == 1


async def test_a_close_follows_what_was_pushed_and_drops_the_location() -> None:
    lanes, connection = _lanes()
    lanes.set_location(_frame("here"))
    lanes.push(_frame("last"))
    lanes.close(CloseCode.FORBIDDEN)
    lanes.push(_frame("too late"))
    await _turn()
    assert connection.writes == [_frame("last").framed]
    assert connection.close_code is CloseCode.FORBIDDEN


async def test_a_close_does_not_wait_for_ever_on_a_client_that_does_not_read() -> None:
    lanes, connection = _lanes()
    connection.full = True
    lanes.push(_frame("one"))
    await _turn()
    lanes.close(CloseCode.UNAUTHENTICATED)
    assert connection.aborts_later


async def test_a_large_group_is_written_in_slices() -> None:
    queue = WriteQueue(asyncio.get_running_loop())
    wires = [FakeConnection() for _ in range(3 * SLICE)]
    for connection in wires:
        DirectLanes(connection, queue, 1000).push(_frame("event"))
    written = []
    for _ in range(4):
        await asyncio.sleep(0)
        written.append(sum(bool(connection.writes) for connection in wires))
    assert written[0] <= SLICE
    assert written[-1] == 3 * SLICE

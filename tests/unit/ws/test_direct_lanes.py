"""The lanes of our own server: what is written in which order, and what happens when the client does not read."""

from __future__ import annotations

import asyncio

from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_ws.hub.frames import OutgoingFrame
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.direct_lanes import SLOTS_PER_WRITE, DirectLanes
from hunarmitra_ws.server.write_queue import SLICE, WriteQueue


class FakeWire:
    """Takes everything until ``full``."""

    heard_at = 0.0

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.full = False
        self.ended: CloseCode | None = None
        self.ending_soon = False

    def write(self, data: bytes) -> int:
        self.writes.append(data)
        return len(data) if self.full else 0

    def end(self, code: CloseCode) -> None:
        self.ended = code

    def end_soon(self) -> None:
        self.ending_soon = True


def _frame(text: str) -> OutgoingFrame:
    return OutgoingFrame(text)


async def _turn() -> None:
    """Let the queue run."""
    await asyncio.sleep(0)
    await asyncio.sleep(0)


def _lanes(limit: int = 1000) -> tuple[DirectLanes, FakeWire]:
    wire = FakeWire()
    return DirectLanes(wire, WriteQueue(asyncio.get_running_loop()), limit), wire


async def test_what_gathers_in_one_turn_leaves_in_one_write_status_first() -> None:
    lanes, wire = _lanes()
    lanes.set_location(_frame("here"))
    lanes.push(_frame("one"))
    lanes.push(_frame("two"))
    await _turn()
    assert wire.writes == [_frame("one").framed + _frame("two").framed, _frame("here").framed]


async def test_a_client_that_does_not_read_gets_the_newest_location_and_every_event() -> None:
    lanes, wire = _lanes()
    wire.full = True
    lanes.push(_frame("one"))
    await _turn()
    conflated = metrics.locations_conflated.values[""]
    for location in ("a", "b", "c"):
        lanes.set_location(_frame(location))
    lanes.push(_frame("two"))
    await _turn()
    assert wire.writes == [_frame("one").framed]
    wire.full = False
    lanes.flushed()
    await _turn()
    assert wire.writes[1:] == [_frame("two").framed, _frame("c").framed]
    assert metrics.locations_conflated.values[""] - conflated == 2


async def test_bookings_take_turns_and_each_is_sent_its_newest_location_after_every_event() -> None:
    lanes, wire = _lanes()
    wire.full = True
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
    wire.full = False
    lanes.flushed()
    await _turn()
    first = [_frame("busy").framed, *(_frame(f"quiet {number}").framed for number in range(1, SLOTS_PER_WRITE))]
    assert wire.writes[1:] == [_frame("two").framed, b"".join(first), _frame(f"quiet {SLOTS_PER_WRITE}").framed]
    assert metrics.locations_conflated.values[""] - conflated == 50
    wire.full = True
    lanes.set_location_of(busy, _frame("busy again"))
    await _turn()
    lanes.set_location_of(busy, _frame("not read"))
    lanes.close(CloseCode.DRAINING)
    wire.full = False
    lanes.flushed()
    await _turn()
    assert wire.writes[-1] == _frame("busy again").framed


async def test_overflow_drops_the_lanes_and_closes_4008() -> None:
    lanes, wire = _lanes(limit=240)
    closed = metrics.slow_clients_closed.values[""]
    wire.full = True
    lanes.push(_frame("x" * 90))
    await _turn()
    lanes.push(_frame("y" * 90))
    before = lanes.closing
    lanes.push(_frame("z" * 90))
    assert (before, lanes.closing) == (False, True)
    assert wire.ended is CloseCode.TOO_SLOW
    wire.full = False
    lanes.flushed()
    await _turn()
    assert wire.writes == [_frame("x" * 90).framed]
    assert metrics.slow_clients_closed.values[""] - closed == 1


async def test_a_close_follows_what_was_pushed_and_drops_the_location() -> None:
    lanes, wire = _lanes()
    lanes.set_location(_frame("here"))
    lanes.push(_frame("last"))
    lanes.close(CloseCode.FORBIDDEN)
    lanes.push(_frame("too late"))
    await _turn()
    assert wire.writes == [_frame("last").framed]
    assert wire.ended is CloseCode.FORBIDDEN


async def test_a_close_does_not_wait_for_ever_on_a_client_that_does_not_read() -> None:
    lanes, wire = _lanes()
    wire.full = True
    lanes.push(_frame("one"))
    await _turn()
    lanes.close(CloseCode.UNAUTHENTICATED)
    assert wire.ending_soon


async def test_a_large_group_is_written_in_slices() -> None:
    queue = WriteQueue(asyncio.get_running_loop())
    wires = [FakeWire() for _ in range(3 * SLICE)]
    for wire in wires:
        DirectLanes(wire, queue, 1000).push(_frame("event"))
    written = []
    for _ in range(4):
        await asyncio.sleep(0)
        written.append(sum(bool(wire.writes) for wire in wires))
    assert written[0] <= SLICE
    assert written[-1] == 3 * SLICE

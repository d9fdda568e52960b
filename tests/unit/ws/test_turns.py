"""A crowd's handshakes take turns with everything else of the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from twisted.internet.protocol import Protocol

from hunarmitra_ws.server.arrivals import Arrivals
from hunarmitra_ws.server.first_request import FirstRequest
from hunarmitra_ws.server.turns import Turns

REQUEST = b"GET /ws/ HTTP/1.1\r\nUpgrade: websocket\r\n\r\n"


async def test_other_work_comes_between_and_the_order_stays() -> None:
    done: list[str] = []
    turns = Turns(asyncio.get_running_loop(), 2)
    for number in range(5):
        turns.run(lambda number=number: done.append(str(number)))  # type: ignore[misc]
    for _ in range(4):
        done.append("other")
        await asyncio.sleep(0)
    assert done == ["0", "1", "other", "2", "3", "other", "4", "other", "other"]


async def test_alone_a_call_runs_at_once_in_each_turn() -> None:
    done: list[int] = []
    turns = Turns(asyncio.get_running_loop(), 2)
    for number in range(4):
        turns.run(lambda number=number: done.append(number))  # type: ignore[misc]
        assert done[-1] == number
        await asyncio.sleep(0)


async def test_a_call_that_fails_does_not_keep_the_next_ones() -> None:
    loop = asyncio.get_running_loop()
    failures: list[Any] = []
    loop.set_exception_handler(lambda _, context: failures.append(context["exception"]))
    done: list[int] = []
    turns = Turns(loop, 1)
    turns.run(lambda: done.append(0))
    turns.run(lambda: 1 / 0)  # type: ignore[arg-type]
    turns.run(lambda: done.append(1))
    for _ in range(4):
        await asyncio.sleep(0)
    assert done == [0, 1]
    assert [type(failure) for failure in failures] == [ZeroDivisionError]


class Transport:
    reads: Any = True
    protocol: Any = None

    def pauseProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.reads = False

    def resumeProducing(self) -> None:  # noqa: N802 - Twisted's name
        self.reads = True


class Upgraded(Protocol):
    def __init__(self) -> None:
        self.received = b""

    def dataReceived(self, data: bytes) -> None:  # noqa: N802 - Twisted's name
        self.received += data


def _waiting() -> tuple[FirstRequest, Transport, list[Callable[[], None]], list[Upgraded]]:
    """A connection whose request waits for its turn."""
    turns: list[Callable[[], None]] = []
    made: list[Upgraded] = []

    def upgraded() -> Upgraded:
        made.append(Upgraded())
        return made[-1]

    loop = asyncio.get_running_loop()
    arrivals = Arrivals(loop.time, lambda _: None, places=10, most_unauthenticated=10, per_address=10)
    first = FirstRequest(loop, arrivals, "", upgraded=upgraded, in_turn=turns.append, http=None, deadline=60)
    transport = Transport()
    first.makeConnection(transport)  # type: ignore[no-untyped-call]
    first.dataReceived(REQUEST)
    assert not made
    return first, transport, turns, made


async def test_what_arrives_while_a_request_waits_is_kept_and_more_is_not_read() -> None:
    first, transport, turns, made = _waiting()
    first.dataReceived(b"early")
    assert not transport.reads
    turns.pop()()
    assert transport.reads
    assert made[0].received == REQUEST + b"early"
    assert not turns


async def test_a_client_that_leaves_while_its_request_waits_costs_no_handshake() -> None:
    first, _, turns, made = _waiting()
    first.connectionLost()
    turns.pop()()
    assert not made

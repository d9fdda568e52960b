"""An open connection keeps only the attributes that it needs."""

from __future__ import annotations

import asyncio
import gc
import weakref
from types import SimpleNamespace

import pytest
from websockets.server import ServerProtocol as Parser

from hunarmitra.common.request_target import in_origin_form
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.hub.joining import Joiner
from hunarmitra_ws.server import websockets_adapter
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.protocol import ServerProtocol
from tests.support.raw_sockets import TEXT, frame
from tests.unit.ws.fakes import REQUEST, FakeServer, FakeTransport


def test_a_live_connection_has_only_attributes_that_a_new_one_has() -> None:
    """Python would make a dict for each connection, if the first ones did not have an attribute."""
    server = FakeServer()
    connection = ServerProtocol(server)  # type: ignore[arg-type]
    connection.transport = FakeTransport()
    at_first = set(vars(connection))
    connection.dataReceived(REQUEST)
    asyncio.run(connection.reply({"type": "websocket.accept"}))
    connection.dataReceived(frame(TEXT, b"hello"))
    assert set(vars(connection)) - at_first <= {"_stalled"}, "only the fake transport lets bytes wait"


def test_a_released_parser_is_freed_without_the_cyclic_collector() -> None:
    parser = Parser(max_size=16384)
    parser.receive_data(b"GET / HTTP/1.1\r\n\r\n")
    parser.send_response(parser.accept(parser.events_received()[0]))  # type: ignore[arg-type]
    freed = weakref.ref(parser)
    websockets_adapter.release(parser)
    gc.disable()
    try:
        del parser
        assert freed() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("path", ["/ws/", "wss://example.org/ws/"])
def test_a_scope_is_not_copied(path: str) -> None:
    """The ws server empties the scope of a live connection, which has the token."""
    scope = {"type": "websocket", "path": path}
    assert in_origin_form(scope) is scope
    assert scope["path"] == "/ws/"


async def test_an_inbox_gives_events_in_their_order_whether_or_not_somebody_waits() -> None:
    inbox = Inbox()
    inbox.put_nowait({"n": 1})
    inbox.put_nowait({"n": 2})
    assert inbox.qsize() == 2
    assert [await inbox.get(), await inbox.get()] == [{"n": 1}, {"n": 2}]
    waiting = inbox.get()
    inbox.put_nowait({"n": 3})
    assert await waiting == {"n": 3}


async def test_a_reader_that_gives_up_loses_nothing_for_the_next() -> None:
    inbox = Inbox()
    waiting = inbox.get()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    inbox.put_nowait({"n": 1})
    assert await inbox.get() == {"n": 1}


@pytest.mark.parametrize("answer", [True, False])
async def test_a_channel_keeps_the_answer_of_redis_and_not_the_task_that_waited(answer: bool) -> None:
    asked: list[str] = []

    async def subscribe(name: str) -> bool:
        asked.append(name)
        await asyncio.sleep(0)
        return answer

    joiner = object.__new__(Joiner)
    joiner._transport = SimpleNamespace(subscribe=subscribe)
    channel, other = Channel("booking.a"), Channel("booking.b")
    joins = [joiner.subscribe_channels([channel]), joiner.subscribe_channels([channel, other])]
    assert await asyncio.gather(*joins) == [answer, answer]
    assert channel.acknowledged is answer
    assert await joiner.subscribe_channels([channel]) is answer
    assert asked == ["booking.a", "booking.b"]


async def test_a_join_waits_for_every_channel_although_one_is_not_acknowledged() -> None:
    answered = asyncio.Event()

    async def subscribe(_: str) -> bool:
        await answered.wait()
        return True

    joiner = object.__new__(Joiner)
    joiner._transport = SimpleNamespace(subscribe=subscribe)
    unacknowledged, other = Channel("booking.a"), Channel("booking.b")
    unacknowledged.acknowledged = False
    join = asyncio.create_task(joiner.subscribe_channels([unacknowledged, other]))
    await asyncio.sleep(0)
    assert not join.done()
    answered.set()
    assert await join is False
    assert other.acknowledged is True


async def test_a_subscription_that_failed_is_tried_again() -> None:
    answers = iter([ConnectionError("away"), True])

    async def subscribe(_: str) -> bool:
        if isinstance(answer := next(answers), Exception):
            raise answer
        return True

    joiner = object.__new__(Joiner)
    joiner._transport = SimpleNamespace(subscribe=subscribe)
    channel = Channel("booking.a")
    with pytest.raises(ConnectionError):
        await joiner.subscribe_channels([channel])
    assert await joiner.subscribe_channels([channel])

"""An open connection keeps only attributes that it needs, and no token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any

import pytest
from autobahn.websocket.protocol import WebSocketServerProtocol
from daphne.ws_protocol import WebSocketFactory

from hunarmitra_ws.server import daphne_adapter
from hunarmitra_ws.server.autobahn_adapter import AFTER_HANDSHAKE, IDLE_VALUES
from hunarmitra_ws.server.daphne_adapter import with_small_footprint
from hunarmitra_ws.server.inbox import Inbox
from hunarmitra_ws.server.protocol import ServerProtocol


@dataclass
class Requested:
    path: str


def _connection() -> Any:
    factory = WebSocketFactory(object(), server="test")
    factory.setProtocolOptions(closeHandshakeTimeout=7)
    return with_small_footprint(ServerProtocol, factory)()


def test_options_of_the_factory_are_found_without_a_copy_in_each_connection() -> None:
    connection = _connection()
    assert connection.closeHandshakeTimeout == 7
    assert connection.perMessageCompressionAccept([]) is None
    assert vars(connection) == {}
    # autobahn copies this value, and formats it for its log.
    assert connection.CONFIG_ATTRS == ()
    assert all(hasattr(connection, name) for name in WebSocketServerProtocol.CONFIG_ATTRS)


def test_what_was_kept_of_the_handshake_is_forgotten_and_what_is_under_way_is_not() -> None:
    connection = _connection()
    for name, value in IDLE_VALUES.items():
        setattr(connection, name, value)
    for name in (*AFTER_HANDSHAKE, *daphne_adapter.AFTER_HANDSHAKE):
        setattr(connection, name, "a token")
    connection.request = Requested("/ws/")
    connection.state, connection.wasClean = ServerProtocol.STATE_OPEN, True
    connection.forget_handshake()
    assert connection.request.path == "/ws/"
    del connection.request
    assert vars(connection) == {"state": ServerProtocol.STATE_OPEN, "wasClean": True}
    assert connection._raw_query_string == b""
    assert connection.localCloseCode is None


async def test_an_inbox_gives_events_in_their_order_whether_or_not_somebody_waits() -> None:
    inbox = Inbox()
    inbox.put_nowait({"n": 1})
    inbox.put_nowait({"n": 2})
    assert inbox.qsize() == 2
    assert [await inbox.get(), await inbox.get()] == [{"n": 1}, {"n": 2}]
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    inbox.put_nowait({"n": 3})
    assert await waiting == {"n": 3}


async def test_a_reader_that_gives_up_loses_nothing_for_the_next() -> None:
    inbox = Inbox()
    waiting = asyncio.create_task(inbox.get())
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    inbox.put_nowait({"n": 1})
    assert await inbox.get() == {"n": 1}

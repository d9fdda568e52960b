"""Clients that send frames which no message limit sees, or do not read what they are sent."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import own_server
from tests.support.actors import Actors
from tests.support.raw_sockets import CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, frame
from tests.support.services import OwnServer

BUDGET = 4 * 20
"""Frames that a client may send at once: four for each message."""


@pytest.fixture(scope="module")
def hostile_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnServer, str]]:
    """A server with the default limits, and a path with a valid token."""
    folder = tmp_path_factory.mktemp("hostile")
    with own_server(folder) as (server, stack), contextlib.closing(Actors.of(stack)) as actors:
        yield server, f"/ws/notifications/?token={actors.employer.token}"


@pytest.fixture
def client(hostile_server: tuple[OwnServer, str]) -> Iterator[RawSocket]:
    """A connection that has had its first frame."""
    server, path = hostile_server
    with RawSocket(server.port) as connection:
        connection.upgrade(path)
        assert next(connection.frames())[0] == TEXT
        yield connection


def test_pings_beyond_the_budget_of_frames_are_closed_4029(client: RawSocket) -> None:
    client.send(frame(PING, b"x") * 3 * BUDGET)
    seen = list(client.frames())
    pongs = [payload for opcode, payload in seen if opcode == PONG]
    assert BUDGET / 2 <= len(pongs) <= 2 * BUDGET
    assert [payload[:2] for opcode, payload in seen if opcode == CLOSE] == [(4029).to_bytes(2, "big")]


def test_a_message_of_too_many_fragments_is_closed_4029(client: RawSocket) -> None:
    client.send(frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 70)
    assert client.close_code() == 4029


def test_a_message_of_some_fragments_is_served(client: RawSocket) -> None:
    client.send(frame(TEXT, b'{"type": ', final=False) + frame(CONTINUATION, final=False) * 10)
    client.send(frame(CONTINUATION, b'"ping"}'))
    opcode, payload = next(client.frames())
    assert (opcode, b'"pong"' in payload) == (TEXT, True)


def test_a_ping_is_answered_with_its_payload(client: RawSocket) -> None:
    client.send(frame(PING, b"abc"))
    assert next(client.frames()) == (PONG, b"abc")


def test_after_the_close_frame_only_a_close_is_read(hostile_server: tuple[OwnServer, str]) -> None:
    """A client without a token that ignores the close is gone soon, and gets no answer before."""
    with RawSocket(hostile_server[0].port) as rejected:
        rejected.upgrade("/ws/notifications/")
        frames = rejected.frames()
        for opcode, payload in frames:
            if opcode == CLOSE:
                assert payload[:2] == (4001).to_bytes(2, "big")
                break
        rejected.send(frame(PING, b"x") * 50)
        assert list(frames) == []


def test_a_flood_after_the_close_frame_ends_the_connection_at_once(tmp_path: Path) -> None:
    with own_server(tmp_path, WS_CLOSE_TIMEOUT="300") as (server, _), RawSocket(server.port) as rejected:
        rejected.upgrade("/ws/notifications/")
        frames = rejected.frames()
        assert any(opcode == CLOSE for opcode, _ in frames)
        rejected.send(frame(PING) * 1000)
        assert list(frames) == []


def test_nothing_is_read_from_a_client_that_does_not_read(tmp_path: Path) -> None:
    """Its pings stay in the kernel's buffers: the server neither answers them nor keeps the answers."""
    limits = {"WS_MESSAGES_PER_SECOND": "1000", "WS_MESSAGE_BURST": "10000"}
    with own_server(tmp_path, **limits) as (server, stack), contextlib.closing(Actors.of(stack)) as actors:
        deaf = RawSocket(server.port, receive_buffer=2048)
        deaf.upgrade(f"/ws/notifications/?token={actors.employer.token}")
        deaf.socket.settimeout(5)
        pings = frame(PING, b"x" * 125) * 39_000
        with deaf, pytest.raises(TimeoutError):
            deaf.socket.sendall(pings)

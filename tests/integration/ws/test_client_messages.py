"""What a client may say, and what it hears when it says something else. The socket stays open."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from urllib.parse import urlsplit

import pytest
from websockets.exceptions import ConnectionClosed

from tests.support.actors import Actors
from tests.support.live import check_error, join, on_every_server
from tests.support.raw_sockets import CLOSE, TEXT, RawSocket, frame
from tests.support.sockets import Frame, SharedView, Socket
from tests.support.stack import Stack

pytestmark = pytest.mark.usefixtures("over_rarely")

LARGEST = 16 * 1024


def ping_of(size: int, filler: str = "x") -> str:
    """A ping that is `size` bytes of UTF-8 long."""
    empty = json.dumps({"type": "ping", "filler": ""})
    count, rest = divmod(size - len(empty), len(filler.encode()))
    return json.dumps({"type": "ping", "filler": filler * count + "x" * rest}, ensure_ascii=False)


async def watch(live: Stack, people: Actors, *, notifications: bool = False) -> Socket:
    url = live.notifications_url() if notifications else live.booking_url(people.new_booking())
    return await join(url, people.employer.token)


async def answer_to(socket: Socket, message: str | bytes) -> str:
    """The code of the error that a wrong message gets; the socket still answers pings after it."""
    await socket.send_raw(message)
    code = check_error(await socket.next_frame())
    assert await socket.synchronized() == []
    return code


@on_every_server
@pytest.mark.parametrize("notifications", [False, True])
async def test_ping_gets_pong(live: Stack, people: Actors, *, notifications: bool) -> None:
    async with await watch(live, people, notifications=notifications) as socket:
        await socket.send({"type": "ping"})
        assert await socket.next_frame() == {"type": "pong"}


@pytest.mark.parametrize(
    "message",
    ["", "{", "ping", "{'type': 'ping'}", "[" * 5_000, '{"type": "ping"} x', '{"type": "ping", "n": NaN}',
     '{"type": "ping", "n": -Infinity}', '{"type": "ping", "n": ' + "9" * 10_000 + "}"],
    ids=lambda message: message[:32] or "empty",
)  # fmt: skip
async def test_what_is_no_json_is_invalid_json(live: Stack, people: Actors, message: str) -> None:
    async with await watch(live, people) as socket:
        assert await answer_to(socket, message) == "invalid_json"


@on_every_server
@pytest.mark.parametrize(
    "message",
    ["[]", "[{}]", "1", "null", '"ping"', "{}", '{"type": null}', '{"type": 1}', '{"type": ["ping"]}',
     '{"type": "authenticate"}', '{"type": "authenticate", "token": 1}', '{"type": "authenticate", "token": null}',
     b'{"type": "ping"}', b"\x00\xff", b""],
)  # fmt: skip
async def test_no_object_binary_and_wrong_types_are_invalid_message(
    live: Stack, people: Actors, message: str | bytes
) -> None:
    async with await watch(live, people) as socket:
        assert await answer_to(socket, message) == "invalid_message"


@pytest.mark.parametrize("message", ['{"type": "mark_read"}', '{"type": "mark_read", "id": 5}'])
async def test_mark_read_needs_an_id_that_is_a_string(live: Stack, people: Actors, message: str) -> None:
    async with await watch(live, people, notifications=True) as socket:
        assert await answer_to(socket, message) == "invalid_message"


@pytest.mark.parametrize("kind", ["", "pong", "PING", "subscribed", "connection_established", "\u0000", "\ud800"])
async def test_a_type_that_is_not_known_is_unknown_type(live: Stack, people: Actors, kind: str) -> None:
    async with await watch(live, people) as socket:
        assert await answer_to(socket, json.dumps({"type": kind})) == "unknown_type"


async def test_mark_read_is_unknown_on_a_booking_connection(live: Stack, people: Actors) -> None:
    async with await watch(live, people) as socket:
        code = "not_subscribed" if Socket.over_shared else "unknown_type"
        assert await answer_to(socket, '{"type": "mark_read", "id": "x"}') == code


@on_every_server
@pytest.mark.parametrize("filler", ["x", "é"])
async def test_a_message_of_16_kib_is_taken(live: Stack, people: Actors, filler: str) -> None:
    async with await watch(live, people) as socket:
        message = ping_of(LARGEST, filler)
        assert len(message.encode()) == LARGEST
        await socket.send_raw(message)
        assert await socket.next_frame() == {"type": "pong"}


@on_every_server
@pytest.mark.parametrize("filler", ["x", "é", "binary"])
async def test_one_byte_more_is_closed_1009(live: Stack, people: Actors, filler: str) -> None:
    """By stock daphne 1011: it refuses to send 1009."""
    async with await watch(live, people) as socket:
        await socket.send_raw(b"x" * (LARGEST + 1) if filler == "binary" else ping_of(LARGEST + 1, filler))
        assert (await socket.closed())[0] == (1009 if "uvicorn" in live.ws[0].name else 1011)
        assert len(socket.frames) == 1


@on_every_server
async def test_a_message_beyond_the_servers_own_limit_is_closed_too(live: Stack, people: Actors) -> None:
    async with await watch(live, people) as socket:
        with contextlib.suppress(ConnectionClosed):
            await socket.send_raw("x" * (32 * 1024 * 1024))
        assert (await socket.closed())[0] in {1009, 1011, 1006}


def flood(live: Stack, people: Actors, message: bytes) -> tuple[list[Frame], int | None, float]:
    """Say more at once than the slowest server allows. Return the frames after the first, the close code, and seconds.

    The client writes no more after that: otherwise its kernel would drop a close that it has not read.
    """
    url = live.booking_url(people.new_booking())
    view = SharedView.of(url, None) if Socket.over_shared else None
    with RawSocket(live.ws[0].port) as client:
        client.upgrade(f"{urlsplit(view.url if view else url).path}?token={people.employer.token}")
        frames = client.frames()
        if view:
            assert json.loads(next(frames)[1])["type"] == "connected"
            client.send(frame(TEXT, json.dumps(view.subscribe).encode()))
        assert json.loads(next(frames)[1])["type"] == "connection_established"
        begun = time.monotonic()
        client.send(frame(TEXT, message) * 240)
        texts, code = [], None
        for opcode, payload in frames:
            if opcode == TEXT:
                texts.append(json.loads(payload))
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
        return texts, code, time.monotonic() - begun


def burst() -> int:
    """The messages that a client may send at once after it has joined; on `/ws/` the first one was `subscribe`."""
    return 19 if Socket.over_shared else 20


@on_every_server
def test_too_many_messages_get_one_error_and_4029(live: Stack, people: Actors) -> None:
    (*pongs, error), code, seconds = flood(live, people, b'{"type": "ping"}')
    assert code == 4029
    assert check_error(error) == "rate_limited"
    assert all(each == {"type": "pong"} for each in pongs)
    # The burst, and what came back of the allowance since the first message and while the frames travelled.
    assert burst() <= len(pongs) <= 20 + 10 * seconds


def test_wrong_messages_count_like_others(live: Stack, people: Actors) -> None:
    errors, code, _ = flood(live, people, b"no json")
    assert code == 4029
    assert [each["code"] for each in errors].count("rate_limited") == 1


async def test_ten_messages_a_second_after_a_burst_of_twenty_are_allowed(live: Stack, people: Actors) -> None:
    """Each message waits for the answer to the one before it: so the server, however busy, hears them no faster."""
    async with await watch(live, people) as socket:
        for _ in range(burst()):
            await socket.send({"type": "ping"})
        for _ in range(burst()):
            assert await socket.next_frame() == {"type": "pong"}
        for _ in range(12):
            await asyncio.sleep(0.105)
            assert await socket.synchronized() == []

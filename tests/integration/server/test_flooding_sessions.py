"""A client with a valid token that floods and connects again at once: it is refused before any query."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator

import pytest

from tests.integration.server.conftest import own_server
from tests.support.actors import Actors
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.metrics import Scrape
from tests.support.raw_sockets import CLOSE, CONTINUATION, PING, TEXT, UPGRADE, RawSocket, frame
from tests.support.services import OwnServer

WAIT = 300
"""Seconds; longer than this module runs."""

FLOODS = {
    "pings": frame(PING, b"x") * 240,
    "fragments": frame(TEXT, final=False) + frame(CONTINUATION, final=False) * 70,
    "messages": frame(TEXT, b'{"type": "ping"}') * 60,
}


@pytest.fixture(scope="module")
def server_and_actors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[OwnServer, Actors]]:
    with (
        own_server(tmp_path_factory.mktemp("flooding"), WS_FLOOD_WAIT=str(WAIT)) as (server, stack),
        contextlib.closing(Actors.of(stack)) as actors,
    ):
        yield server, actors


@pytest.fixture
def server(server_and_actors: tuple[OwnServer, Actors]) -> OwnServer:
    return server_and_actors[0]


@pytest.fixture
def session(server_and_actors: tuple[OwnServer, Actors]) -> Iterator[Api]:
    """A session that only this test uses."""
    actor = server_and_actors[1].employer
    with contextlib.closing(Api.login(actor.base_url, actor.user.username, actor.user.password)) as signed_in:
        yield signed_in


def answer(server: OwnServer, credentials: str, flood: bytes = b"") -> tuple[list[dict[str, object]], int]:
    """Connect, send `flood` after the first frame, and read to the end, or without a flood up to the first frame.

    Return the text frames and the close code, 0 if the server did not close.
    """
    texts, code = [], 0
    with RawSocket(server.port) as client:
        client.upgrade(f"/ws/notifications/?{credentials}")
        for opcode, payload in client.frames():
            if opcode == TEXT:
                texts.append(json.loads(payload))
                if texts[-1]["type"] == "connection_established":
                    if not flood:
                        break
                    client.send(flood)
            elif opcode == CLOSE:
                code = int.from_bytes(payload[:2], "big")
    return texts, code


def check_refused(server: OwnServer, credentials: str) -> None:
    (reconnect, error), code = answer(server, credentials)
    assert reconnect.keys() == {"type", "after_ms"}
    assert reconnect["type"] == "reconnect"
    assert 0 < int(str(reconnect["after_ms"])) <= WAIT * 1000
    assert (error["type"], error["code"], code) == ("error", "rate_limited", 4029)


def joins(server: OwnServer, credentials: str) -> bool:
    frames, _ = answer(server, credentials)
    return frames[0]["type"] == "connection_established"


@pytest.mark.parametrize("flood", FLOODS)
def test_a_session_that_floods_is_refused_before_any_query(server: OwnServer, session: Api, flood: str) -> None:
    ticket = session.call("POST", "realtime/tickets/", expect=201)["ticket"]
    frames, code = answer(server, f"token={session.token}", FLOODS[flood])
    assert (frames[0]["type"], code) == ("connection_established", 4029)
    check_refused(server, f"token={session.token}")
    check_refused(server, f"ticket={ticket}")
    # Only the database knows that the session has ended: it is not asked.
    session.call("POST", "auth/logout/", {"refresh": session.refresh_token}, expect=205)
    check_refused(server, f"token={session.token}")


def test_what_a_refused_session_sends_with_its_handshake_is_not_read(server: OwnServer, session: Api) -> None:
    """Otherwise each refusal of a client that floods costs as much as its flood."""
    answer(server, f"token={session.token}", FLOODS["pings"])
    with RawSocket(server.port) as client:
        target = f"/ws/notifications/?token={session.token}"
        handshake = "\r\n".join((f"GET {target} HTTP/1.1", "Host: localhost", *UPGRADE, "", ""))
        client.send(handshake.encode() + frame(PING, b"x") * 20)
        assert client.header().startswith("HTTP/1.1 101")
        opcodes = [opcode for opcode, _ in client.frames()]
    assert opcodes == [TEXT, TEXT, CLOSE]


def test_other_sessions_of_the_user_are_served(server_and_actors: tuple[OwnServer, Actors], session: Api) -> None:
    server, actors = server_and_actors
    answer(server, f"token={session.token}", FLOODS["pings"])
    check_refused(server, f"token={session.token}")
    assert joins(server, f"token={actors.employer.token}")


def test_refusals_are_counted_and_logged(server: OwnServer, session: Api) -> None:
    def flooded() -> float:
        return Scrape(f"{server.admin_url}/metrics")("hunarmitra_ws_handshakes_total", outcome="flooded")

    before = flooded()
    answer(server, f"token={session.token}", FLOODS["pings"])
    for _ in range(3):
        check_refused(server, f"token={session.token}")
    eventually(lambda: flooded() == before + 3, 30, "the refusals are counted")
    assert f"sent too many frames: refused for {WAIT} s" in server.log_text()
    assert session.token not in server.log_text()


def test_after_the_wait_the_session_is_served_again(tmp_path_factory: pytest.TempPathFactory) -> None:
    with (
        own_server(tmp_path_factory.mktemp("short"), WS_FLOOD_WAIT="3") as (server, stack),
        contextlib.closing(Actors.of(stack)) as actors,
    ):
        credentials = f"token={actors.employer.token}"
        assert answer(server, credentials, FLOODS["messages"])[1] == 4029
        eventually(lambda: joins(server, credentials), 60, "the wait is over", interval=0.2)

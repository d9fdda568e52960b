"""Limits for TCP connections whose client has not shown a valid token."""

from __future__ import annotations

import pytest

from hunarmitra_ws.server.arrivals import Arrivals


class Transport:
    closed = False

    def close(self) -> None:
        self.closed = True


class Port:
    """A port with four places; two connections of an address and three of all may be without a token."""

    def __init__(self) -> None:
        self.now = 100.0
        self.arrivals = Arrivals(lambda: self.now, Transport.close, places=4, most_unauthenticated=3, per_address=2)

    def connect(self, address: str, count: int = 1) -> list[Transport]:
        transports = [Transport() for _ in range(count)]
        for each in transports:
            self.arrivals.add(each, address)
        return transports


@pytest.fixture
def port() -> Port:
    return Port()


def closed(transports: list[Transport]) -> list[bool]:
    return [each.closed for each in transports]


def test_at_the_limit_of_an_address_its_oldest_connection_gives_way(port: Port) -> None:
    other, old = port.connect("b"), port.connect("a", 2)
    port.now += 2
    new = port.connect("a")
    assert closed([*other, *old, *new]) == [False, True, False, False]


def test_at_the_limit_of_all_the_oldest_connection_gives_way(port: Port) -> None:
    old = [*port.connect("a"), *port.connect("b"), *port.connect("c")]
    port.now += 2
    assert closed([*old, *port.connect("d")]) == [True, False, False, False]


def test_a_crowd_is_left_alone_for_a_second_and_then_shrinks_to_the_limit(port: Port) -> None:
    crowd = port.connect("a", 6)
    assert closed(crowd) == [False] * 6
    port.now += 2
    port.connect("a", 4)
    assert closed(crowd) == [True] * 6


def test_a_client_with_a_token_is_never_closed_for_others(port: Port) -> None:
    honest = port.connect("a", 2)
    for each in honest:
        port.arrivals.authenticated(each)
    for _ in range(10):
        port.now += 2
        port.connect("a")
    assert closed(honest) == [False, False]


def test_connections_behind_a_proxy_count_for_their_client_once_it_is_known(port: Port) -> None:
    transports = port.connect("", 3)
    port.now += 2
    for each in transports[:2]:
        port.arrivals.address_known(each, "a")
    assert closed(transports) == [False] * 3
    port.arrivals.address_known(transports[2], "a")
    assert closed(transports) == [True, False, False]


def test_all_connections_together_stay_within_the_open_files(port: Port) -> None:
    """Those that wait for the client's close give way first, and others then even within their first second."""
    members = port.connect("m", 4)
    for each in members:
        port.arrivals.authenticated(each)
    port.arrivals.closing(members[0])
    port.connect("a", 3)
    newer = port.connect("a", 2)
    assert closed(members) == [True, False, False, False]
    assert closed(newer) == [False, False]
    assert port.arrivals.unauthenticated == 4, "one of the first three was closed"


def test_ended_connections_count_no_more(port: Port) -> None:
    for _ in range(3):
        for each in port.connect("a", 2):
            port.arrivals.remove(each)
    port.now += 2
    assert closed(port.connect("a", 2)) == [False, False]
    assert port.arrivals.unauthenticated == 2


def test_closed_connections_are_logged_once_a_minute(port: Port, caplog: pytest.LogCaptureFixture) -> None:
    port.arrivals.late(port.connect("192.0.2.1")[0])
    for _ in range(5):
        port.arrivals.late(port.connect("192.0.2.2")[0])
    port.now += 60
    port.arrivals.late(port.connect("192.0.2.3")[0])
    assert [record.getMessage() for record in caplog.records] == [
        f"unauthenticated clients: {count} connections closed: {count} sent no complete request in "
        f"WS_HANDSHAKE_TIMEOUT; the last from {address}"
        for count, address in ((1, "192.0.2.1"), (6, "192.0.2.3"))
    ]

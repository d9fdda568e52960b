"""The admin port of a process that ends: what it has begun to receive is answered."""

from __future__ import annotations

import threading
import time

from hunarmitra_http.server.admin_port import AdminPort
from hunarmitra_http.server.connection import Phase
from tests.support.eventually import eventually
from tests.unit.http import test_reception
from tests.unit.http.test_reception import Server

PART = b"GET /metrics HTTP/1.1\r\n"


server = test_reception.server
"""The fixture: a reception that answers `ok`."""


def fail(error: Exception) -> None:
    raise AssertionError("the admin port failed") from error


def test_the_process_waits_for_a_request_that_has_begun_to_arrive(server: Server) -> None:
    port = AdminPort(server.reception, fail)
    with server.connect() as client:
        client.sendall(PART)
        eventually(lambda: server.reception.counts()[Phase.HEADER] == 1)
        ending = threading.Thread(target=port.end, args=(time.monotonic() + 60,))
        ending.start()
        client.sendall(b"\r\n")
        assert client.recv(10) == b"ok"
    ending.join(60)
    assert not ending.is_alive()


def test_the_deadline_ends_the_wait(server: Server) -> None:
    port = AdminPort(server.reception, fail)
    with server.connect() as client:
        client.sendall(PART)
        eventually(lambda: server.reception.counts()[Phase.HEADER] == 1)
        begin = time.monotonic()
        port.end(begin + 0.2)
        assert time.monotonic() - begin >= 0.2, "nothing else has ended it"
        client.sendall(b"\r\n")
        assert client.recv(10) == b"ok"
    port.end(time.monotonic() + 60)

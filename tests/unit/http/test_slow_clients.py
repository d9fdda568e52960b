"""What is counted and logged of slow clients."""

from __future__ import annotations

import pytest

from hunarmitra.config.environment import Environment
from hunarmitra_http.server.connection import Phase
from hunarmitra_http.server.slow_clients import LOG_SECONDS, SHOW_SECONDS, SlowClients, states


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_one_line_a_minute_with_what_was_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    clock = Clock()
    slow = SlowClients(Environment(secret_key="x"), clock)
    counts = dict.fromkeys(Phase, 0)
    slow.cut("silent", ("10.0.0.1", 1))
    for reason, address in (("header", "10.0.0.1"), ("header", "10.0.0.2"), ("body", "10.0.0.3")):
        slow.cut(reason, (address, 1))
    slow.show(lambda: counts, 8)
    assert caplog.messages == [], "a line waits for more of its kind"
    clock.now += SHOW_SECONDS
    slow.show(lambda: counts, 8)
    first = (
        "slow clients: 3 connections cut off: 2 sent no complete header in 10 s, 1 sent no complete body in 30 s; "
        "the last from 10.0.0.3"
    )
    assert caplog.messages == [first]
    slow.cut("response", ("10.0.0.4", 1))
    clock.now += LOG_SECONDS - 1
    slow.cut("full", "")
    slow.show(lambda: counts, 8)
    assert caplog.messages == [first]
    clock.now += 1
    for _ in range(2):
        slow.show(lambda: counts, 8)
    assert caplog.messages[1:] == [
        (
            "slow clients: 2 connections cut off: 1 did not read the response in 60 s, "
            "1 made room at HTTP_MAX_CONNECTIONS or HTTP_SEND_BUFFER_BYTES; the last from a local socket"
        )
    ]


@pytest.mark.parametrize(("complete", "waiting", "serving"), [(0, 0, 0), (8, 0, 8), (11, 3, 8)])
def test_a_complete_request_is_served_or_waits_for_a_thread(complete: int, waiting: int, serving: int) -> None:
    shown = states(dict.fromkeys(Phase, 1) | {Phase.SERVING: complete}, threads=8)
    assert shown == {"idle": 2, "receiving": 2, "waiting": waiting, "serving": serving, "sending": 2}

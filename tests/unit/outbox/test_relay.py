"""The relay's loop: its pauses, failures and end."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import InterfaceError, OperationalError, connections

from hunarmitra.outbox import relay
from hunarmitra.outbox.backlog import Backlog
from hunarmitra.outbox.relay import NotPublishedError
from hunarmitra.telemetry import exposition
from hunarmitra.telemetry import relay as metrics


class Stop(threading.Event):
    """Records the pauses instead of waiting, and ends the loop after `most` of them."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most
        self.pauses: list[float] = []

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout is not None
        self.pauses.append(timeout)
        if len(self.pauses) >= self.most:
            self.set()
        return self.is_set()


Script = Callable[..., None]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> Script:
    """Make `relay_once` return or raise these results in order, then return 0."""

    def use(*outcomes: Any) -> None:
        remaining = iter(outcomes)

        def relay_once(*, older_than_seconds: float) -> int:
            assert older_than_seconds == 2
            outcome = next(remaining, 0)
            if isinstance(outcome, Exception):
                raise outcome
            return int(outcome)

        monkeypatch.setattr(relay, "relay_once", relay_once)
        monkeypatch.setattr(relay, "backlog", lambda: Backlog({}, 0.0))

    monkeypatch.setattr(connections, "close_all", lambda: None)
    return use


def test_it_pauses_only_when_there_was_nothing_to_do(script: Script) -> None:
    script(500, 500, 3, 0)
    stop = Stop(2)
    relay.run(stop)
    assert stop.pauses == [1, 1]


def test_a_lost_database_is_asked_every_few_seconds_and_told_once_it_is_back(
    script: Script, caplog: pytest.LogCaptureFixture
) -> None:
    lost = [OperationalError("server closed the connection\n\tThis probably means"), *[InterfaceError("gone")] * 6]
    script(*lost, 0)
    stop = Stop(8)
    with caplog.at_level(logging.INFO):
        relay.run(stop)
    assert stop.pauses == [2, 3, 3, 3, 3, 3, 3, 1]
    assert "the relay cannot read the outbox (server closed the connection); next try in 2 s" in caplog.text
    assert "the relay reads the outbox again after 7 failed tries" in caplog.text
    assert caplog.text.count("reads the outbox again") == 1


def test_a_set_stop_ends_it_before_anything_is_done(script: Script) -> None:
    script(RuntimeError("not called"))
    stop = Stop(1)
    stop.set()
    relay.run(stop)
    assert stop.pauses == []


def test_relaying_all_goes_on_while_there_is_something(script: Script) -> None:
    script(500, 20, 0)
    assert relay.relay_all() == 520


def test_the_command_refuses_to_run_where_nobody_could_hear_it() -> None:
    with pytest.raises(CommandError, match="REDIS_URL is not set"):
        call_command("relay")


@pytest.fixture
def livez(monkeypatch: pytest.MonkeyPatch) -> Callable[[], str]:
    """Return the answer to the probe."""
    monkeypatch.setattr(metrics, "_looks", metrics._Looks())
    application = exposition.with_livez(lambda environ, start_response: [b"metrics"], metrics.stuck)

    def ask() -> str:
        answered: list[str] = []
        application({"PATH_INFO": "/livez"}, lambda status, headers: answered.append(status))  # type: ignore[arg-type]
        return answered[0].partition(" ")[0]

    return ask


def stand_still() -> None:
    metrics._looks.turned_at -= metrics.STUCK_SECONDS + 1


def test_a_loop_that_stands_still_is_not_alive(livez: Callable[[], str]) -> None:
    assert livez() == "200", "it has not begun"
    metrics.started()
    assert livez() == "200"
    stand_still()
    assert livez() == "503"
    metrics.turned()
    assert livez() == "200"


@pytest.mark.parametrize("outcome", [OperationalError("gone"), NotPublishedError("no Redis"), 0])
def test_whatever_a_turn_brings_the_next_one_is_a_sign_of_life(
    livez: Callable[[], str], script: Script, outcome: Any
) -> None:
    """The relay waits for an unavailable database or Redis, because a new process would not reach it either."""
    answers = []

    class Slow(Stop):
        def wait(self, timeout: float | None = None) -> bool:
            answers.append(livez())
            stand_still()
            return super().wait(timeout)

    script(*[outcome] * 5)
    relay.run(Slow(5))
    assert answers == ["200"] * 5


def test_other_paths_are_metrics() -> None:
    application = exposition.with_livez(lambda environ, start_response: [b"metrics"], lambda: True)
    assert list(application({"PATH_INFO": "/metrics"}, lambda *_: None)) == [b"metrics"]  # type: ignore[arg-type]

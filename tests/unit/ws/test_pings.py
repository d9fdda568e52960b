"""Silent connections are pinged, those that do not answer are dropped, and no other connection is checked."""

from __future__ import annotations

from hunarmitra_ws.server.pings import Pings


class FakeConnection:
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.heard_at = clock.now
        self.pinged_at = 0.0
        self.due_second = 0
        self.pings: list[float] = []
        self.dropped_at: float | None = None
        self.taking = False

    def progressed(self) -> bool:
        return self.taking

    def ping(self) -> None:
        self.pings.append(self._clock.now)

    def drop(self) -> None:
        self.dropped_at = self._clock.now

    def answer(self) -> None:
        self.heard_at = self._clock.now


class FakeClock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def _run(pings: Pings, clock: FakeClock, seconds: int) -> None:
    for _ in range(seconds):
        clock.now += 1
        pings.check_due()


def test_a_client_that_answers_lives_on() -> None:
    clock = FakeClock()
    pings, connection = Pings(clock, interval=20, timeout=30), FakeConnection(clock)
    pings.add(connection)
    for _ in range(3600):
        before = len(connection.pings)
        _run(pings, clock, 1)
        if len(connection.pings) > before:
            connection.answer()
    assert connection.dropped_at is None
    assert 60 < len(connection.pings) < 200


def test_a_dead_client_is_pinged_and_dropped_in_time() -> None:
    clock = FakeClock()
    pings, connection = Pings(clock, interval=20, timeout=30), FakeConnection(clock)
    pings.add(connection)
    _run(pings, clock, 60)
    assert len(connection.pings) == 1
    assert connection.dropped_at is not None
    assert 50 <= connection.dropped_at - 1000 <= 54


def test_a_client_that_is_not_read_lives_on_while_it_takes_what_is_written() -> None:
    clock = FakeClock()
    pings, connection = Pings(clock, interval=20, timeout=30), FakeConnection(clock)
    pings.add(connection)
    connection.taking = True
    _run(pings, clock, 300)
    assert connection.dropped_at is None
    connection.taking = False
    _run(pings, clock, 100)
    assert connection.dropped_at is not None


def test_a_talkative_client_is_never_pinged() -> None:
    clock = FakeClock()
    pings, connection = Pings(clock, interval=20, timeout=30), FakeConnection(clock)
    pings.add(connection)
    for _ in range(300):
        _run(pings, clock, 1)
        connection.answer()
    assert connection.pings == []


def test_a_closed_client_is_forgotten() -> None:
    clock = FakeClock()
    pings, connection = Pings(clock, interval=20, timeout=30), FakeConnection(clock)
    pings.add(connection)
    pings.remove(connection)
    _run(pings, clock, 100)
    assert connection.pings == []
    assert connection.dropped_at is None

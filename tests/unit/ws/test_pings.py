"""Silent peers are pinged, those that do not answer are dropped, and nobody else is looked at."""

from __future__ import annotations

from hunarmitra_ws.server.pings import Pings


class FakePeer:
    def __init__(self, clock: FakeClock) -> None:
        self._clock = clock
        self.heard_at = clock.now
        self.pinged_at = 0.0
        self.look_at = 0
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
        pings.look()


def test_a_peer_that_answers_lives_on() -> None:
    clock = FakeClock()
    pings, peer = Pings(clock, interval=20, timeout=30), FakePeer(clock)
    pings.add(peer)
    for _ in range(3600):
        before = len(peer.pings)
        _run(pings, clock, 1)
        if len(peer.pings) > before:
            peer.answer()
    assert peer.dropped_at is None
    assert 60 < len(peer.pings) < 200


def test_a_dead_peer_is_pinged_and_dropped_in_time() -> None:
    clock = FakeClock()
    pings, peer = Pings(clock, interval=20, timeout=30), FakePeer(clock)
    pings.add(peer)
    _run(pings, clock, 60)
    assert len(peer.pings) == 1
    assert peer.dropped_at is not None
    assert 50 <= peer.dropped_at - 1000 <= 54


def test_a_peer_that_is_not_read_lives_on_while_it_takes_what_is_written() -> None:
    clock = FakeClock()
    pings, peer = Pings(clock, interval=20, timeout=30), FakePeer(clock)
    pings.add(peer)
    peer.taking = True
    _run(pings, clock, 300)
    assert peer.dropped_at is None
    peer.taking = False
    _run(pings, clock, 100)
    assert peer.dropped_at is not None


def test_a_talkative_peer_is_never_pinged() -> None:
    clock = FakeClock()
    pings, peer = Pings(clock, interval=20, timeout=30), FakePeer(clock)
    pings.add(peer)
    for _ in range(300):
        _run(pings, clock, 1)
        peer.answer()
    assert peer.pings == []


def test_a_closed_peer_is_forgotten() -> None:
    clock = FakeClock()
    pings, peer = Pings(clock, interval=20, timeout=30), FakePeer(clock)
    pings.add(peer)
    pings.remove(peer)
    _run(pings, clock, 100)
    assert peer.pings == []
    assert peer.dropped_at is None

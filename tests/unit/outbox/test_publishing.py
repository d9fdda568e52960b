"""Publishing: channel layer, then Redis, then the log, without an exception and without a long wait."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence
from typing import Any

import channels.layers
import pytest
from channels.layers import InMemoryChannelLayer

from hunarmitra.common.clock import microseconds_now
from hunarmitra.config.redis_url import RedisTarget
from hunarmitra.outbox import publishing, redis_adapter, redis_publisher
from hunarmitra.outbox.publishing import publish_event, publish_events
from hunarmitra.outbox.redis_publisher import CircuitBreaker, PublisherUnavailableError, RedisPublisher
from hunarmitra.protocol.messages import Message, committed, location_message, status_message
from hunarmitra.telemetry import publisher as metrics
from hunarmitra.telemetry.labels import BACKENDS, REMOTE_BACKENDS
from tests.support.clock import steady
from tests.support.ports import free_port

STATUS = status_message("booking.1", seq=7, frame='{"type":"booking_status"}')
POSITION = location_message("booking.1", seq=7, order=1, frame='{"type":"location_update"}')


class Recorder:
    """Replaces the project's layer or Redis: accepts messages, or fails with `error`."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.taken: list[Message] = []

    def publish(self, messages: Sequence[Message]) -> bool:
        if self.error:
            raise self.error
        self.taken.extend(messages)
        return True


@pytest.fixture
def use(monkeypatch: pytest.MonkeyPatch) -> Any:
    def install(layer: Any, redis: Any) -> None:
        monkeypatch.setattr(channels.layers, "get_channel_layer", lambda: layer)
        monkeypatch.setattr(publishing, "redis_publisher", lambda: redis)

    return install


DOWN = PublisherUnavailableError("down")


class Foreign(InMemoryChannelLayer):
    """A layer of another project, without `publish`, so that its `group_send` is used."""

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.sent: list[tuple[str, dict[str, Any]]] = []

    async def group_send(self, group: str, message: dict[str, Any]) -> None:
        if self.error:
            raise self.error
        self.sent.append((group, message))


def test_nothing_to_publish_is_published() -> None:
    assert publish_events([])


def test_the_layer_comes_first(use: Any) -> None:
    layer, redis = Recorder(), Recorder()
    use(layer, redis)
    assert publish_events([STATUS, POSITION])
    assert layer.taken == [STATUS, POSITION]
    assert redis.taken == []


@pytest.mark.parametrize(
    "layer",
    [Foreign(ConnectionError("down")), Recorder(RuntimeError("a bug")), None],
    ids=["foreign and down", "bug", "none"],
)
def test_redis_takes_what_the_layer_does_not(use: Any, layer: Any, caplog: pytest.LogCaptureFixture) -> None:
    redis = Recorder()
    use(layer, redis)
    assert publish_event(STATUS.channel, STATUS.body)
    assert redis.taken == [STATUS]


def test_redis_is_not_tried_when_our_layer_found_it_unavailable(use: Any) -> None:
    """Both use the same client and circuit breaker: Redis would fail again, and the outage would count twice."""
    redis = Recorder()
    use(Recorder(DOWN), redis)
    assert not publish_event(STATUS.channel, STATUS.body)
    assert redis.taken == []


def test_a_foreign_layer_is_used_through_group_send(use: Any) -> None:
    foreign = Foreign()
    use(foreign, None)
    assert publish_events([STATUS, POSITION])
    assert foreign.sent == [(STATUS.channel, dict(STATUS.body)), (POSITION.channel, dict(POSITION.body))]


class Bus:
    """Replaces what sends commands to Redis; records published messages."""

    def __init__(self) -> None:
        self.published: list[tuple[str, bytes]] = []

    def execute(self, client: Any, commands: Sequence[tuple[str, str, bytes]]) -> Sequence[int]:
        self.published += [(channel, body) for _, channel, body in commands]
        return [0] * len(commands)


@pytest.fixture
def real_publisher(monkeypatch: pytest.MonkeyPatch) -> tuple[RedisPublisher, Bus]:
    bus = Bus()
    monkeypatch.setattr(redis_adapter, "execute", bus.execute)
    return RedisPublisher(RedisTarget(url="redis://127.0.0.1:1/0"), timeout=0.25), bus


@pytest.mark.parametrize("ours", [True, False], ids=["through our layer", "directly"])
@pytest.mark.parametrize("value", [object(), {1, 2}, 2**70], ids=["object", "set", "too large a number"])
def test_a_body_that_cannot_be_encoded_is_an_error_in_the_log_and_nothing_more(
    use: Any, real_publisher: tuple[RedisPublisher, Bus], caplog: pytest.LogCaptureFixture, value: Any, ours: bool
) -> None:
    publisher, bus = real_publisher
    use(publisher if ours else None, publisher)
    backend = "channel_layer" if ours else "redis"
    failed = {name: counted("hunarmitra_publish_failures_total", backend=name) for name in REMOTE_BACKENDS}
    assert publish_event("booking.1", {"type": "example", "value": value}) is False
    assert bus.published == []
    assert [record.getMessage().partition(": ")[0] for record in caplog.records if record.levelname == "ERROR"] == [
        "not published"
    ]
    assert "the message to booking.1 cannot be encoded" in caplog.text
    for name, before in failed.items():
        assert counted("hunarmitra_publish_failures_total", backend=name) - before == (name == backend)
    assert publish_event("booking.1", {"type": "example", "value": 1}), "Redis is not left alone for it"


@pytest.mark.parametrize(
    "body", [None, 7, {"type": ["no", "text"]}, {"committed_at": "yesterday"}], ids=["none", "number", "list", "text"]
)
def test_nothing_that_is_given_makes_it_raise(use: Any, real_publisher: tuple[RedisPublisher, Bus], body: Any) -> None:
    publisher, _ = real_publisher
    for layer in (publisher, Foreign(), None):
        use(layer, publisher)
        assert publish_event("booking.1", body) in {True, False}


@pytest.mark.parametrize("redis", [None, Recorder(DOWN)], ids=["no REDIS_URL", "down"])
def test_the_log_is_last_and_says_what_did_not_go_out(use: Any, redis: Any, caplog: pytest.LogCaptureFixture) -> None:
    use(Recorder(DOWN), redis)
    with caplog.at_level(logging.WARNING):
        assert not publish_events([STATUS, POSITION])
    assert [record.levelname for record in caplog.records] == ["WARNING", "WARNING"]
    assert "realtime.status to booking.1 (seq 7)" in caplog.text
    assert "realtime.location to booking.1" in caplog.text


def test_it_works_without_channels_installed(use: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    redis = Recorder()
    use(None, redis)
    monkeypatch.setitem(sys.modules, "channels.layers", None)
    assert publish_events([STATUS])
    assert redis.taken == [STATUS]


def counted(name: str, **labels: str) -> float:
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    ("layer", "redis", "takes", "fail"),
    [
        (Recorder(), Recorder(), "channel_layer", set()),
        (Foreign(ConnectionError("down")), Recorder(), "redis", {"channel_layer"}),
        (Recorder(RuntimeError("a bug")), Recorder(DOWN), "log", {"channel_layer", "redis"}),
        (Recorder(DOWN), Recorder(), "log", {"channel_layer"}),
        (None, Recorder(DOWN), "log", {"redis"}),
    ],
    ids=["layer", "redis", "log", "an outage of Redis", "an outage without a layer"],
)
def test_what_takes_messages_and_what_does_not_is_counted(
    use: Any, layer: Any, redis: Any, takes: str, fail: set[str]
) -> None:
    use(layer, redis)
    taken, failures = "hunarmitra_publish_messages_total", "hunarmitra_publish_failures_total"
    before = {backend: counted(taken, backend=backend) for backend in BACKENDS}
    failed = {backend: counted(failures, backend=backend) for backend in REMOTE_BACKENDS}
    publish_events([STATUS, POSITION])
    grown = {backend: counted(taken, backend=backend) - before[backend] for backend in BACKENDS}
    assert grown == {backend: 2 if backend == takes else 0 for backend in BACKENDS}
    grown = {backend: counted(failures, backend=backend) - failed[backend] for backend in REMOTE_BACKENDS}
    assert grown == {backend: int(backend in fail) for backend in REMOTE_BACKENDS}


def test_a_message_that_knows_its_commit_is_timed_and_tells_when_it_was_published(use: Any) -> None:
    layer = Recorder()
    use(layer, None)
    labels = {"stage": "commit_to_published", "lane": "location"}
    before = counted("hunarmitra_event_latency_seconds_sum", **labels)
    now = microseconds_now()
    publish_events([committed(POSITION, now - 250_000), STATUS])
    assert 0.25 <= counted("hunarmitra_event_latency_seconds_sum", **labels) - before < 10
    assert layer.taken[0].body["committed_at"] == now - 250_000
    assert now <= layer.taken[0].body["published_at"] <= microseconds_now()
    assert layer.taken[1] == STATUS, "what knows no commit stays as it was"


# ── the circuit breaker ─────────────────────────────────────────────────────────────────────────────────────
class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    fake = Clock()
    monkeypatch.setattr(redis_publisher, "time", fake)
    return fake


def test_closed_it_lets_everything_through(clock: Clock) -> None:
    breaker = CircuitBreaker(1)
    assert breaker.allows()
    breaker.succeeded()
    assert breaker.allows()


def test_after_a_failure_it_refuses_until_its_time_is_over_then_lets_one_try(clock: Clock) -> None:
    breaker = CircuitBreaker(1)
    breaker.failed()
    assert not breaker.allows()
    clock.now += 0.99
    assert not breaker.allows()
    clock.now += 0.02
    assert breaker.allows()
    assert not breaker.allows(), "the others wait for the one that tries"
    breaker.succeeded()
    assert breaker.allows()
    assert breaker.allows()


def test_a_failed_try_keeps_it_open_and_one_that_never_reports_does_not_block_for_ever(clock: Clock) -> None:
    breaker = CircuitBreaker(1)
    breaker.failed()
    clock.now += 1.1
    assert breaker.allows()
    breaker.failed()
    assert not breaker.allows()
    clock.now += 1.1
    assert breaker.allows()
    clock.now += 1.1
    assert breaker.allows()


def test_an_unreachable_redis_costs_one_attempt_then_nothing() -> None:
    publisher = RedisPublisher(RedisTarget(url=f"redis://127.0.0.1:{free_port()}/0"), timeout=0.25)
    with pytest.raises(PublisherUnavailableError, match="ConnectionError"):
        publisher.publish([STATUS])
    started = steady()
    for _ in range(100):
        with pytest.raises(PublisherUnavailableError, match="paused after a failure"):
            publisher.publish([STATUS])
    assert steady() - started < 0.2


def test_every_process_has_a_publisher_of_its_own(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    class Configured:
        redis_url = RedisTarget(url="redis://127.0.0.1:1/0")
        redis_publish_timeout = 0.25

    monkeypatch.setattr(redis_publisher, "_publishers", {})
    settings.ENVIRONMENT = Configured()
    parents = redis_publisher.redis_publisher()
    assert parents is redis_publisher.redis_publisher()
    monkeypatch.setattr(os, "getpid", lambda: 1)
    assert redis_publisher.redis_publisher() is not parents
    Configured.redis_url = None  # type: ignore[assignment]
    assert redis_publisher.redis_publisher() is None

"""A Redis that answers and refuses: it is asked with pauses, and log and metrics tell what is missing."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis import Redis

from hunarmitra.common.rate_limit import Limit, RedisLimiter
from hunarmitra.config.redis_url import parse_redis_url
from hunarmitra.outbox import redis_publisher
from hunarmitra.outbox.redis_connections import LIMITER_PERMISSIONS, blocking_client
from hunarmitra.outbox.redis_publisher import PublisherUnavailableError, RedisPublisher
from hunarmitra.protocol.messages import status_message
from hunarmitra.telemetry import publisher as publisher_metrics
from hunarmitra_http import limiters
from hunarmitra_http.limiters import FallbackLimiter
from hunarmitra_ws.hub.redis_transport import FIRST_PAUSE, LONGEST_PAUSE, RedisTransport
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.supervisor import Supervisor
from tests.support.eventually import eventually, eventually_async
from tests.support.redis import RedisServer

SUBSCRIBES = ("+ping", "+subscribe", "+unsubscribe", "&asgi__group__*", "&hunarmitra__heartbeat__*")
PASSWORD = "the-password-of-this-test"


@pytest.fixture
def admin(redis_server: RedisServer) -> Iterator[Redis]:
    with redis_server.client() as client:
        yield client
        client.execute_command("ACL", "DELUSER", "refused")


def allow(admin: Redis, *rights: str) -> None:
    """Give the user `refused` these rights and no others."""
    admin.execute_command("ACL", "SETUSER", "refused", "reset", "on", f">{PASSWORD}", *rights)


def url_of(server: RedisServer, password: str = PASSWORD) -> str:
    return server.url.replace("redis://", f"redis://refused:{password}@")


def refusals(kind: str) -> float:
    return metrics.subscriber_refusals.values[kind]


@asynccontextmanager
async def transport_to(url: str, **options: Any) -> AsyncIterator[RedisTransport]:
    beats: dict[str, float] = {"heartbeat_interval": 0.05, "heartbeat_timeout": 0.2, **options}
    transport = RedisTransport(
        parse_redis_url(url),
        receive=lambda channel, body: None,
        on_recovered=lambda: None,
        on_unsigned=lambda channel: None,
        heartbeat_interval=beats["heartbeat_interval"],
        heartbeat_timeout=beats["heartbeat_timeout"],
    )
    supervisor = Supervisor()
    try:
        await transport.start(supervisor)
        yield transport
    finally:
        await supervisor.stop()
        await transport.stop()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_refused_subscription_is_told_once_counted_and_tried_ever_more_rarely(
    redis_server: RedisServer, admin: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    # Heartbeats may be published: else one that is sent before Redis has refused the subscription is refused too.
    allow(admin, "+ping", "+publish", "&asgi__group__*", "&hunarmitra__heartbeat__*")
    before = refusals("subscribe")
    async with transport_to(url_of(redis_server)) as transport:
        await eventually_async(lambda: transport._pause > LONGEST_PAUSE, 60, "longer pauses than without Redis")
        assert refusals("subscribe") - before >= 4
        [told] = errors(caplog)
        assert told.startswith("Redis does not permit to subscribe, correct the user's ACL, it needs ")
        for permission in SUBSCRIBES:
            assert permission in told
        assert not await transport.subscribe("booking.1")
        allow(admin, *SUBSCRIBES, "+publish")
        await eventually_async(lambda: transport._pause == FIRST_PAUSE, 60, "it is subscribed")
        assert await transport.subscribe("booking.1")


async def test_a_wrong_password_is_told_once_and_counted_and_not_repeated(
    redis_server: RedisServer, admin: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    allow(admin, *SUBSCRIBES, "+publish")
    before = refusals("login")
    async with transport_to(url_of(redis_server, "not-it")) as transport:
        await eventually_async(lambda: transport._pause > LONGEST_PAUSE, 60, "longer pauses than without Redis")
    assert refusals("login") - before >= 4
    [told] = errors(caplog)
    assert told.startswith("Redis refuses the user or the password of REDIS_URL, correct it: ")
    assert "not-it" not in caplog.text


async def test_without_the_right_to_publish_the_subscription_stays_and_the_missing_right_is_told(
    redis_server: RedisServer, admin: Redis, caplog: pytest.LogCaptureFixture
) -> None:
    """Its heartbeats cannot come back. To connect again for that would help nobody."""
    allow(admin, *SUBSCRIBES)
    before = refusals("publish")
    async with transport_to(url_of(redis_server)) as transport:
        await eventually_async(lambda: refusals("publish") - before >= 20, 60, "many heartbeats were refused")
        assert time.monotonic() - transport._heard_at > 0.2
        assert await transport.subscribe("booking.1")
        [told] = errors(caplog)
        assert told.startswith("Redis does not permit to publish, correct the user's ACL, it needs ")
        allow(admin, *SUBSCRIBES, "+publish")
        await eventually_async(lambda: "publish" not in transport._refusals, 60, "it may publish")


async def test_a_forged_heartbeat_is_not_taken_for_one(redis_server: RedisServer, admin: Redis) -> None:
    async with transport_to(redis_server.url, heartbeat_interval=60, heartbeat_timeout=180) as transport:
        await transport.subscribe("booking.1")
        heard = transport._heard_at
        for data in (b"%f" % time.monotonic(), b"0", bytes(16)):
            assert admin.publish(transport._heartbeat_channel, data) == 1
        transport._beats[b"mine"] = time.monotonic()
        assert admin.publish(transport._heartbeat_channel, b"other") == 1
        await transport.subscribe("booking.2")  # acknowledged behind them
        assert transport._heard_at == heard
        assert admin.publish(transport._heartbeat_channel, b"mine") == 1
        await eventually_async(lambda: transport._heard_at > heard, 60, "its own heartbeat")


def published_refusals(kind: str) -> float:
    return publisher_metrics.REGISTRY.get_sample_value("hunarmitra_publish_refusals_total", {"refused": kind}) or 0.0


@pytest.mark.parametrize(
    ("password", "kind", "begin"),
    [
        (
            PASSWORD,
            "publish",
            "Redis does not permit to publish, correct the user's ACL, it needs +ping +publish &asgi",
        ),
        ("not-it", "login", "Redis refuses the user or the password of REDIS_URL, correct it: "),
    ],
)
def test_a_refused_message_is_told_once_and_counted(
    redis_server: RedisServer,
    admin: Redis,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    kind: str,
    begin: str,
) -> None:
    monkeypatch.setattr(redis_publisher, "OPEN_SECONDS", 0.0)
    allow(admin, "+ping", "+publish", "&asgi__group__user.*")
    publisher = RedisPublisher(parse_redis_url(url_of(redis_server, password)), timeout=5)
    message = status_message("booking.1", seq=1, frame="{}")
    before = published_refusals(kind)
    for _ in range(3):
        with pytest.raises(PublisherUnavailableError):
            publisher.publish([message])
    assert published_refusals(kind) - before == 3
    [told] = errors(caplog)
    assert told.startswith(begin)
    assert "not-it" not in caplog.text
    if kind == "publish":
        allow(admin, "+ping", "+publish", "&asgi__group__*")
        eventually(lambda: publisher.publish([message]) == [0], 30, "it is published")
        allow(admin, "+ping")
        with pytest.raises(PublisherUnavailableError):
            publisher.publish([message])
        assert len(errors(caplog)) == 2, "a new refusal is told again"


def test_rate_limits_that_redis_does_not_permit_count_per_process_and_tell_it_once(
    redis_server: RedisServer, admin: Redis, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limiters, "OPEN_SECONDS", 0.0)
    allow(admin, "+ping", "+publish", "&asgi__group__*")
    before = published_refusals("limit")
    with blocking_client(parse_redis_url(url_of(redis_server)), timeout=5) as client:
        limiter, limit = FallbackLimiter(RedisLimiter(client)), Limit("x", 2, 3600)
        assert [limiter.take(limit, "address") > 0 for _ in range(3)] == [False, False, True]
        [told] = errors(caplog)
        assert told.startswith("rate limits count per process: Redis does not permit it, correct the user's ACL")
        assert published_refusals("limit") - before == 3
        allow(admin, *LIMITER_PERMISSIONS.split())
        assert limiter.take(limit, "address") == 0, "Redis counts, from the start"
        assert admin.keys("hunarmitra:limit:x:*")

"""Publish messages: the one function through which everything reaches the channel layer.

:func:`publish_events` tries three backends in order:

1. the channel layer. Ours publishes to Redis itself (or to the process' own bus without ``REDIS_URL``);
2. plain Redis PUBLISH, on the same channel and in the same format. It helps where Channels or a layer is missing, or
   where the layer is another project's and failed. After our own layer reported that Redis is unavailable it is not
   tried: it is the same client, and would count the same outage twice;
3. the log.

It never raises, and never makes a request wait longer than the publish timeout: after a failure a circuit breaker
skips Redis for a moment. It returns whether a backend took the messages. The relay publishes outbox rows that no
backend took.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from django.conf import settings

from hunarmitra.common.clock import microseconds_now
from hunarmitra.outbox.redis_publisher import PublisherUnavailableError, UnencodableMessageError, redis_publisher
from hunarmitra.outbox.spans import publishing
from hunarmitra.protocol.messages import Message, lane_of, published
from hunarmitra.telemetry import publisher as metrics

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Published:
    """Whether a backend took the messages, and for each how many processes listen, or None where nobody counts."""

    taken: bool
    listeners: Sequence[int] | None = None


class _Outcome(Enum):
    FAILED = "failed"
    """The next backend may succeed."""
    HOPELESS = "hopeless"
    """The next backend would fail for the same reason."""


def publish_event(channel: str, body: Mapping[str, Any]) -> bool:
    """Publish one message to a channel. Return True when a backend took it, False when only the log did."""
    return publish_events([Message(channel, body)])


def publish_events(messages: Sequence[Message]) -> bool:
    """Publish messages in order, all through one backend. Return whether one took them. Never raises."""
    return publish_counted(messages).taken


def publish_counted(messages: Sequence[Message]) -> Published:
    """Publish messages as :func:`publish_events` does; return how many processes listen too. Never raises."""
    if not messages:
        return Published(taken=True)
    try:
        with publishing(messages, "redis" if settings.ENVIRONMENT.redis_url else "memory") as (sent, spans):
            result = _publish(sent)
            for span in () if result.taken else spans:
                span.fail("unpublished")
    except Exception:  # a request must not fail because its event was not published
        logger.exception("publishing %d messages failed", len(messages))
        return Published(taken=False)
    return result


def _publish(messages: Sequence[Message]) -> Published:
    for backend in (_through_channel_layer, _through_redis):
        outcome = backend(messages)
        if isinstance(outcome, Published):
            return outcome
        if outcome is _Outcome.HOPELESS:
            break
    _to_log(messages)
    return Published(taken=False)


def _observe(backend: str, messages: Sequence[Message]) -> None:
    metrics.taken(backend, len(messages))
    now = microseconds_now()
    metrics.published(
        [
            (lane_of(message), (now - message.body["committed_at"]) / 1_000_000)
            for message in messages
            if "committed_at" in message.body
        ]
    )


def _through_channel_layer(messages: Sequence[Message]) -> Published | _Outcome:
    try:
        from asgiref.sync import async_to_sync
        from channels.layers import get_channel_layer
    except ImportError:
        return _Outcome.FAILED
    try:
        layer = get_channel_layer()
        if layer is None:
            return _Outcome.FAILED
        stamped = published(messages, microseconds_now())
        publish = getattr(layer, "publish", None)
        listeners: Sequence[int] | None = None
        with metrics.timed("channel_layer"):
            if publish is not None:
                # Ours: async_to_sync(group_send) would open a Redis connection for every call.
                listeners = publish(stamped)
            else:
                for message in stamped:
                    async_to_sync(layer.group_send)(message.channel, dict(message.body))
    except (PublisherUnavailableError, UnencodableMessageError) as error:
        _not_taken("channel_layer", messages, error)
        return _Outcome.HOPELESS
    except Exception:
        logger.exception("the channel layer failed; trying Redis directly")
        metrics.not_taken("channel_layer")
        return _Outcome.FAILED
    _observe("channel_layer", messages)
    return Published(taken=True, listeners=listeners)


def _through_redis(messages: Sequence[Message]) -> Published | _Outcome:
    publisher = redis_publisher()
    if publisher is None:
        return _Outcome.FAILED
    try:
        with metrics.timed("redis"):
            listeners = publisher.publish(published(messages, microseconds_now()))
    except (PublisherUnavailableError, UnencodableMessageError) as error:
        _not_taken("redis", messages, error)
        return _Outcome.FAILED
    _observe("redis", messages)
    return Published(taken=True, listeners=listeners)


def _not_taken(backend: str, messages: Sequence[Message], error: Exception) -> None:
    metrics.not_taken(backend)
    if isinstance(error, UnencodableMessageError):
        logger.error("not published: %s", error)  # a bug of the caller, unlike an outage
    else:
        logger.debug("the backend %s did not take %d messages: %s", backend, len(messages), error)


def _to_log(messages: Sequence[Message]) -> None:
    metrics.taken("log", len(messages))
    for message in messages:
        logger.warning(
            "not published, no backend took it: %s to %s (seq %s); numbered events follow through the relay",
            message.body.get("type"),
            message.channel,
            message.body.get("seq"),
        )

"""Publish messages: the only module that sends messages to the channel layer.

:func:`publish_events` tries three backends in order:

1. the channel layer. The project's own layer publishes to Redis itself, or without ``REDIS_URL`` to the process's bus;
2. plain Redis PUBLISH, on the same channel and in the same format. This helps if Channels or a layer is missing, or if
   the layer of another project failed. It is not tried after the project's layer reported that Redis is unavailable:
   both use the same client, and the same outage would count twice;
3. the log.

It never raises an error. A request never waits longer than the publish timeout, because a circuit breaker skips Redis
for a moment after a failure. It returns whether a backend accepted the messages. The relay publishes outbox rows that
no backend accepted.
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
    """The result of a publish: whether a backend accepted the messages.

    ``listeners`` is the number of listening processes for each message, or None if the backend does not count them.
    """

    accepted: bool
    listeners: Sequence[int] | None = None


class _Outcome(Enum):
    FAILED = "failed"
    """The next backend may succeed."""
    HOPELESS = "hopeless"
    """The next backend would fail for the same reason."""


def publish_event(channel: str, body: Mapping[str, Any]) -> bool:
    """Publish one message to a channel. Return True if a backend accepted it, False if it was only logged."""
    return publish_events([Message(channel, body)])


def publish_events(messages: Sequence[Message]) -> bool:
    """Publish messages in order, all through one backend. Return whether a backend accepted them. Never raises."""
    return publish_counted(messages).accepted


def publish_counted(messages: Sequence[Message]) -> Published:
    """Publish messages as :func:`publish_events` does; return how many processes listen too. Never raises."""
    if not messages:
        return Published(accepted=True)
    try:
        with publishing(messages, "redis" if settings.ENVIRONMENT.redis_url else "memory") as (sent, spans):
            result = _publish(sent)
            for span in () if result.accepted else spans:
                span.fail("unpublished")
    except Exception:  # a request must not fail because its event was not published
        logger.exception("publishing %d messages failed", len(messages))
        return Published(accepted=False)
    return result


def _publish(messages: Sequence[Message]) -> Published:
    for backend in (_through_channel_layer, _through_redis):
        outcome = backend(messages)
        if isinstance(outcome, Published):
            return outcome
        if outcome is _Outcome.HOPELESS:
            break
    _to_log(messages)
    return Published(accepted=False)


def _observe(backend: str, messages: Sequence[Message]) -> None:
    metrics.accepted(backend, len(messages))
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
                # The project's layer: async_to_sync(group_send) would open a Redis connection for every call.
                listeners = publish(stamped)
            else:
                for message in stamped:
                    async_to_sync(layer.group_send)(message.channel, dict(message.body))
    except (PublisherUnavailableError, UnencodableMessageError) as error:
        _record_failure("channel_layer", messages, error)
        return _Outcome.HOPELESS
    except Exception:
        logger.exception("the channel layer failed; trying Redis directly")
        metrics.failed("channel_layer")
        return _Outcome.FAILED
    _observe("channel_layer", messages)
    return Published(accepted=True, listeners=listeners)


def _through_redis(messages: Sequence[Message]) -> Published | _Outcome:
    publisher = redis_publisher()
    if publisher is None:
        return _Outcome.FAILED
    try:
        with metrics.timed("redis"):
            listeners = publisher.publish(published(messages, microseconds_now()))
    except (PublisherUnavailableError, UnencodableMessageError) as error:
        _record_failure("redis", messages, error)
        return _Outcome.FAILED
    _observe("redis", messages)
    return Published(accepted=True, listeners=listeners)


def _record_failure(backend: str, messages: Sequence[Message], error: Exception) -> None:
    metrics.failed(backend)
    if isinstance(error, UnencodableMessageError):
        logger.error("not published: %s", error)  # a bug of the caller, unlike an outage
    else:
        logger.debug("the backend %s did not take %d messages: %s", backend, len(messages), error)


def _to_log(messages: Sequence[Message]) -> None:
    metrics.accepted("log", len(messages))
    for message in messages:
        logger.warning(
            "not published, no backend took it: %s to %s (seq %s); numbered events follow through the relay",
            message.body.get("type"),
            message.channel,
            message.body.get("seq"),
        )

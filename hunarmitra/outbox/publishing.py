"""The one funnel through which everything is published.

:func:`publish_events` tries the channel layer, then a plain Redis PUBLISH on the same channel in the same
format, then the log. It never raises and never makes a request wait longer than the publish timeout: after a
failure a circuit breaker skips Redis for a moment. It says whether the messages went out; rows of the outbox
that did not are the relay's.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings

from hunarmitra.common.clock import microseconds_now
from hunarmitra.outbox.redis_publisher import PublisherUnavailableError, redis_publisher
from hunarmitra.outbox.spans import publishing
from hunarmitra.protocol.messages import Message, lane_of, published
from hunarmitra.telemetry import publisher as metrics

logger = logging.getLogger(__name__)


def publish_event(channel: str, body: Mapping[str, Any]) -> bool:
    """Publish one message to a channel. True when a backend took it, False when it is only in the log."""
    return publish_events([Message(channel, body)])


def publish_events(messages: Sequence[Message]) -> bool:
    """Publish messages in order, all through one backend. Never raises."""
    if not messages:
        return True
    with publishing(messages, "redis" if settings.ENVIRONMENT.redis_url else "memory") as (sent, spans):
        taken = _through_channel_layer(sent) or _through_redis(sent) or _to_log(sent)
        for span in () if taken else spans:
            span.fail("unpublished")
    return taken


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


def _through_channel_layer(messages: Sequence[Message]) -> bool:
    try:
        from asgiref.sync import async_to_sync
        from channels.layers import get_channel_layer
    except ImportError:
        return False
    try:
        layer = get_channel_layer()
        if layer is None:
            return False
        stamped = published(messages, microseconds_now())
        publish = getattr(layer, "publish", None)
        with metrics.timed("channel_layer"):
            if publish is not None:
                # Ours: async_to_sync(group_send) would open a Redis connection for every call.
                publish(stamped)
            else:
                for message in stamped:
                    async_to_sync(layer.group_send)(message.channel, dict(message.body))
    except PublisherUnavailableError as error:
        logger.debug("the channel layer did not take %d messages: %s", len(messages), error)
        metrics.not_taken("channel_layer")
        return False
    except Exception:  # a request must not fail because its news did not travel
        logger.exception("the channel layer failed; trying Redis directly")
        metrics.not_taken("channel_layer")
        return False
    _observe("channel_layer", messages)
    return True


def _through_redis(messages: Sequence[Message]) -> bool:
    publisher = redis_publisher()
    if publisher is None:
        return False
    try:
        with metrics.timed("redis"):
            publisher.publish(published(messages, microseconds_now()))
    except PublisherUnavailableError as error:
        logger.debug("Redis did not take %d messages: %s", len(messages), error)
        metrics.not_taken("redis")
        return False
    _observe("redis", messages)
    return True


def _to_log(messages: Sequence[Message]) -> bool:
    metrics.taken("log", len(messages))
    for message in messages:
        logger.warning(
            "not published, no backend took it: %s to %s (seq %s); numbered events follow through the relay",
            message.body.get("type"),
            message.channel,
            message.body.get("seq"),
        )
    return False

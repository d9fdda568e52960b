"""Spans of publishing, and the ``traceparent`` with which ws processes continue them.

What a request publishes is one span of its trace. The relay publishes for many finished requests at once: it continues
the trace of each recorded request with a span of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Final

from hunarmitra.protocol import channels
from hunarmitra.protocol.messages import LOCATION, STATUS, Message
from hunarmitra.telemetry import tracing
from hunarmitra.telemetry.tracing import Span, Value

_NAMES: Final = {STATUS: "publish status", LOCATION: "publish location"}


@contextmanager
def publishing(messages: Sequence[Message], system: str) -> Iterator[tuple[Sequence[Message], Sequence[Span]]]:
    """Yield the messages to send and their spans: no spans when nothing is recorded."""
    if not tracing.is_on():
        yield messages, ()
        return
    with ExitStack() as ended:
        spans: dict[str | None, Span] = {}
        within = tracing.current_traceparent() is not None
        for message in messages:
            origin = None if within else message.origin
            if origin not in spans and message.body.get("type") in _NAMES:
                spans[origin] = _begin(message, origin, len(messages), system)
                ended.callback(spans[origin].end)
        sent = [_traced(message, spans.get(None if within else message.origin)) for message in messages]
        yield sent, list(spans.values())


def _begin(message: Message, origin: str | None, count: int, system: str) -> Span:
    name = _NAMES[message.body["type"]]
    attributes: dict[str, Value] = {
        "messaging.system": system,
        "messaging.operation.name": "publish",
        "messaging.operation.type": "send",
    }
    if booking := _booking(message.channel):
        attributes["hunarmitra.booking_id"] = booking
    if origin is not None:
        return tracing.continued_span(name, origin, "producer", attributes)
    return tracing.span(name, "producer", {**attributes, "messaging.batch.message_count": count})


def _booking(channel: str) -> str | None:
    """Return the booking of a channel; spans never name the user of a user's channel."""
    try:
        booking = channels.booking_of(channel)
    except ValueError:
        return None
    return str(booking) if booking else None


def _traced(message: Message, span: Span | None) -> Message:
    if span is None or span.traceparent is None or message.body.get("type") not in _NAMES:
        return message
    return replace(message, body={**message.body, "traceparent": span.traceparent})

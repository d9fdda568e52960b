"""A transaction as one span, in which the moment of its commit is marked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from hunarmitra.telemetry import tracing


@contextmanager
def traced_transaction(name: str) -> Iterator[None]:
    """``transaction.atomic()``; what its commit publishes is a part of the span, after the event ``committed``."""
    with tracing.span(name) as span, transaction.atomic():
        if span.traceparent is not None:
            transaction.on_commit(lambda: span.event("committed"), robust=True)
        yield

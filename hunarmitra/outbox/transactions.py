"""A transaction as one span, with an event at its commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction

from hunarmitra.telemetry import tracing


@contextmanager
def traced_transaction(name: str) -> Iterator[None]:
    """``transaction.atomic()`` in a span. What is published on commit belongs to the span, after ``committed``."""
    with tracing.span(name) as span, transaction.atomic():
        if span.traceparent is not None:
            transaction.on_commit(lambda: span.event("committed"), robust=True)
        yield

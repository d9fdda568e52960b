"""Adapter for OpenTelemetry's SDK: a span processor that can be stopped within a given time."""

from __future__ import annotations

from typing import Final

from opentelemetry.sdk.trace.export import BatchSpanProcessor

from hunarmitra.common.private_names import Library, names_of

LIBRARY: Final = Library(
    "opentelemetry-sdk",
    "1.45.2",
    (
        *names_of(
            "opentelemetry.sdk.trace.export:BatchSpanProcessor",
            {"_batch_processor": "its shutdown takes a time limit, which the public shutdown does not pass on"},
        ),
        *names_of("opentelemetry.sdk._shared_internal:BatchProcessor", {"shutdown(timeout_millis)": "see above"}),
    ),
)


class BoundedProcessor(BatchSpanProcessor):
    """The SDK's processor waits 30 s at its end, and so would every process whose collector does not answer."""

    def stop(self, seconds: float) -> None:
        self._batch_processor.shutdown(timeout_millis=int(seconds * 1000))

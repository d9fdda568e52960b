"""Tracing for the rest of the code: spans that cost nothing while tracing is off.

One trace shows a change from the REST request through its transaction and the publish to the connections of every ws
process. Within a process a span has a parent; from process to process the message carries a ``traceparent`` (W3C Trace
Context), which the receiving span continues and links. Only traced events carry one, so an event that is not traced
costs a receiver one look-up. There is no span for a single connection or frame.

Nothing here imports OpenTelemetry. It is imported, and its exporting thread started, in the process that traces and
when that first traces (:func:`start` makes it early): never in gunicorn's arbiter, and again after a fork.

No span holds a token, a phone number, a user's id or name, or the text of an error.
"""

from __future__ import annotations

import atexit
import importlib.util
import os
import re
import threading
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Final, Literal, Protocol, Self

from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.environment import Environment

if TYPE_CHECKING:
    from hunarmitra.telemetry.opentelemetry_spans import Spans

Kind = Literal["internal", "server", "producer", "consumer"]
Value = str | int | float | bool

SHUTDOWN_SECONDS: Final = 3.0
"""Seconds for the last export when a process ends. Spans that remain are dropped."""

_TRACEPARENT: Final = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
TRACEPARENT_LENGTH: Final = 55


class Span(Protocol):
    """A context manager: inside it is the current span. One that is used without ``with`` needs :meth:`end`."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    @property
    def traceparent(self) -> str | None:
        """The context for a span that continues this one in another process; None when it is not recorded."""
        ...

    @property
    def trace_id(self) -> str | None:
        """32 hexadecimal digits; also of a span that is not recorded. None when nothing is traced."""
        ...

    def rename(self, name: str) -> None: ...

    def set(self, name: str, value: Value) -> None: ...

    def event(self, name: str) -> None:
        """Record an event within the span."""
        ...

    def fail(self, error_type: str) -> None:
        """Mark the span as an error of one of a few types."""
        ...

    def end(self) -> None: ...


class _NoSpan:
    traceparent = None
    trace_id = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def rename(self, name: str) -> None:
        pass

    def set(self, name: str, value: Value) -> None:
        pass

    def event(self, name: str) -> None:
        pass

    def fail(self, error_type: str) -> None:
        pass

    def end(self) -> None:
        pass


NO_SPAN: Final[Span] = _NoSpan()

_environment: Environment | None = None
_service: str = ""
_spans: Spans | None = None
_lock = threading.Lock()


def configure(environment: Environment, service: str) -> None:
    """Configure tracing for this process. Starts nothing.

    Raises ConfigurationError when the exporter that is asked for is not installed.
    """
    global _environment, _service
    if environment.traces and environment.otel_exporter_otlp_protocol == "grpc" and not _is_installed("grpc"):
        raise ConfigurationError(
            "OTEL_EXPORTER_OTLP_PROTOCOL is grpc, but OTLP/gRPC is not installed here: build the image with "
            "OTLP_GRPC=1, or take http/protobuf."
        )
    _environment, _service = (environment, service) if environment.traces else (None, "")


def _is_installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def is_on() -> bool:
    return _environment is not None


def start() -> None:
    """Load OpenTelemetry now (some 300 ms) rather than in the first request. Not before a fork."""
    _running()


def _running() -> Spans | None:
    global _spans  # noqa: PLW0603
    if _environment is None or _spans is not None:
        return _spans
    with _lock:
        if _spans is None:
            from hunarmitra.telemetry.opentelemetry_spans import Spans

            _spans = Spans(_environment, _service)
    return _spans


def stop() -> None:
    """Export remaining spans within :data:`SHUTDOWN_SECONDS`. Later spans are dropped."""
    if _spans is not None:
        _spans.stop(SHUTDOWN_SECONDS)


def _forget() -> None:
    """A forked child does not have the threads of its parent, and must not export its parent's spans again."""
    global _spans, _lock
    _spans, _lock = None, threading.Lock()


os.register_at_fork(after_in_child=_forget)
atexit.register(stop)


def span(name: str, kind: Kind = "internal", attributes: Mapping[str, Value] | None = None) -> Span:
    """Start a child of the current span, if that is recorded."""
    if _spans is None:
        return NO_SPAN
    return _spans.child(name, kind, attributes)


def request_span(name: str, headers: Mapping[str, str]) -> Span:
    """Start the span of a request: continue the trace of its ``traceparent``, or start one."""
    spans = _running()
    return NO_SPAN if spans is None else spans.server(name, headers)


def root_span(name: str, kind: Kind = "internal", attributes: Mapping[str, Value] | None = None) -> Span:
    """Start the first span of a trace without a request; the sampler decides whether it is recorded."""
    spans = _running()
    return NO_SPAN if spans is None else spans.root(name, kind, attributes)


def continued_span(
    name: str,
    traceparent: object,
    kind: Kind = "consumer",
    attributes: Mapping[str, Value] | None = None,
    *,
    links: Sequence[str] = (),
) -> Span:
    """Continue a span of another process: a child of ``traceparent``, linked to it and to ``links``.

    Returns a span without effect for an invalid ``traceparent``, because it comes from a message.
    """
    if _environment is None or not isinstance(traceparent, str) or not _TRACEPARENT.fullmatch(traceparent):
        return NO_SPAN
    spans = _running()
    return NO_SPAN if spans is None else spans.continued(name, traceparent, kind, attributes, links)


def mark(name: str) -> None:
    """Record an event within the current span."""
    if _spans is not None:
        _spans.mark(name)


def current_traceparent() -> str | None:
    """Return the ``traceparent`` of the current span; None when it is not recorded."""
    return None if _spans is None else _spans.current_traceparent()


def current_ids() -> tuple[str, str] | None:
    """Trace id and span id of the current span in hexadecimal, recorded or not; None without one."""
    return None if _spans is None else _spans.current_ids()


def trace_id_of(traceparent: object) -> str | None:
    """The trace id of a ``traceparent`` that came with a message; None for anything else."""
    if not isinstance(traceparent, str):
        return None
    match = _TRACEPARENT.fullmatch(traceparent)
    return match[1] if match else None

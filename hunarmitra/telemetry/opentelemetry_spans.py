"""Spans by OpenTelemetry's SDK, exported as OTLP. Only :mod:`hunarmitra.telemetry.tracing` imports this.

The SDK reads its own variables too (``OTEL_BSP_…``, ``OTEL_RESOURCE_ATTRIBUTES``, certificates, compression); those
that decide whether and what is traced are checked by ours first.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextvars import Token
from types import TracebackType
from typing import Final, Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider, sampling
from opentelemetry.sdk.trace.export import SpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from hunarmitra.config.environment import Environment
from hunarmitra.telemetry import tracing
from hunarmitra.telemetry.opentelemetry_adapter import BoundedProcessor
from hunarmitra.telemetry.tracing import NO_SPAN, Kind, Value

_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "internal": SpanKind.INTERNAL,
    "server": SpanKind.SERVER,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
}
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class RecordedSpan:
    """A :class:`~hunarmitra.telemetry.tracing.Span` that exists; perhaps one that was not sampled."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self._token: Token[Context] | None = None

    def __enter__(self) -> Self:
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace_: TracebackType | None
    ) -> None:
        if kind is not None:
            # The type alone: a message may quote what a user sent. Whether it is a failure, the request's span says.
            self.set("error.type", kind.__name__)
        if self._token is not None:
            otel_context.detach(self._token)
        self._span.end()

    @property
    def traceparent(self) -> str | None:
        return _traceparent(self._span.get_span_context())

    @property
    def trace_id(self) -> str | None:
        return trace.format_trace_id(self._span.get_span_context().trace_id)

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def set(self, name: str, value: Value) -> None:
        self._span.set_attribute(name, value)

    def event(self, name: str) -> None:
        self._span.add_event(name)

    def fail(self, error_type: str) -> None:
        self._span.set_attribute("error.type", error_type)
        self._span.set_status(Status(StatusCode.ERROR))

    def end(self) -> None:
        self._span.end()


class Spans:
    """This process's tracer, with the thread that exports."""

    def __init__(self, environment: Environment, service: str) -> None:
        self._processor = BoundedProcessor(_exporter(environment))
        self._provider = TracerProvider(
            sampler=_sampler(environment),
            resource=Resource.create({"service.name": service, "process.pid": os.getpid()}),
            shutdown_on_exit=False,
        )
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("hunarmitra")

    def stop(self, seconds: float) -> None:
        self._processor.stop(seconds)

    def child(self, name: str, kind: Kind, attributes: Mapping[str, Value] | None) -> tracing.Span:
        if not trace.get_current_span().get_span_context().trace_flags.sampled:
            return NO_SPAN
        return RecordedSpan(self._tracer.start_span(name, kind=_KINDS[kind], attributes=attributes))

    def server(self, name: str, headers: Mapping[str, str]) -> tracing.Span:
        parent = _PROPAGATOR.extract(headers, context=Context())
        return RecordedSpan(self._tracer.start_span(name, parent, kind=SpanKind.SERVER))

    def root(self, name: str, kind: Kind, attributes: Mapping[str, Value] | None) -> tracing.Span:
        return RecordedSpan(self._tracer.start_span(name, Context(), kind=_KINDS[kind], attributes=attributes))

    def continued(
        self,
        name: str,
        traceparent: str,
        kind: Kind,
        attributes: Mapping[str, Value] | None,
        links: Sequence[str],
    ) -> tracing.Span:
        origin = _remote(traceparent)
        return RecordedSpan(
            self._tracer.start_span(
                name,
                trace.set_span_in_context(trace.NonRecordingSpan(origin), Context()),
                kind=_KINDS[kind],
                attributes=attributes,
                links=[Link(context) for context in (origin, *map(_remote, links))],
            )
        )

    def mark(self, name: str) -> None:
        trace.get_current_span().add_event(name)

    def current_traceparent(self) -> str | None:
        return _traceparent(trace.get_current_span().get_span_context())

    def current_ids(self) -> tuple[str, str] | None:
        current = trace.get_current_span().get_span_context()
        if not current.is_valid:
            return None
        return trace.format_trace_id(current.trace_id), trace.format_span_id(current.span_id)


def _exporter(environment: Environment) -> SpanExporter:
    endpoint = environment.otel_exporter_otlp_endpoint
    headers = dict(environment.otel_exporter_otlp_headers)
    if environment.otel_exporter_otlp_protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter

        return GrpcExporter(endpoint=endpoint, headers=headers or None, insecure=endpoint.startswith("http:"))
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

    return HttpExporter(endpoint=f"{endpoint}/v1/traces", headers=headers or None)


def _sampler(environment: Environment) -> sampling.Sampler:
    name, part = environment.otel_traces_sampler, environment.otel_traces_sampler_arg
    kind = name.removeprefix("parentbased_")
    root: sampling.Sampler = {
        "traceidratio": sampling.TraceIdRatioBased(part),
        "always_on": sampling.ALWAYS_ON,
        "always_off": sampling.ALWAYS_OFF,
    }[kind]
    return sampling.ParentBased(root) if kind != name else root


def _traceparent(span: SpanContext) -> str | None:
    if not span.is_valid or not span.trace_flags.sampled:
        return None
    return f"00-{trace.format_trace_id(span.trace_id)}-{trace.format_span_id(span.span_id)}-01"


def _remote(traceparent: str) -> SpanContext:
    _, trace_id, span_id, flags = traceparent.split("-")
    return SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))

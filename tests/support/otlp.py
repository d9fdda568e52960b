"""A collector of traces for tests: real OTLP over HTTP and gRPC, decoded with OpenTelemetry's messages."""

from __future__ import annotations

import gzip
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Final, Self

import grpc
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.support.eventually import HANG, eventually
from tests.support.ports import free_port

_KINDS: Final = {number: name.removeprefix("SPAN_KIND_").lower() for name, number in trace_pb2.Span.SpanKind.items()}


@dataclass(frozen=True)
class SpanRecord:
    """One exported span; times in nanoseconds since 1970, ids in hexadecimal."""

    service: str
    pid: int
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent_id: str
    attributes: dict[str, Any]
    events: tuple[str, ...]
    links: tuple[tuple[str, str], ...]
    failed: bool
    start: int
    end: int


@dataclass
class Received:
    """The spans of all exporters, in the order of their arrival, and the ``headers`` of their requests."""

    spans: list[SpanRecord] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)

    def trace(self, trace_id: str, spans: int, timeout: float = HANG) -> list[SpanRecord]:
        """Wait until a trace has this many spans, and return them."""

        def found() -> list[SpanRecord]:
            these = [span for span in self.spans if span.trace_id == trace_id]
            names = sorted(f"{span.service}: {span.name}" for span in these)
            assert len(these) >= spans, f"{len(these)} of {spans} spans: {names}"
            return these

        return eventually(found, timeout=timeout)

    def take(self, request: ExportTraceServiceRequest, headers: dict[str, str]) -> None:
        self.headers.append(headers)
        for resource_spans in request.resource_spans:
            resource = _attributes(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                self.spans.extend(_record(span, resource) for span in scope_spans.spans)


def _attributes(pairs: Any) -> dict[str, Any]:
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in pairs}


def _record(span: trace_pb2.Span, resource: dict[str, Any]) -> SpanRecord:
    return SpanRecord(
        service=str(resource["service.name"]),
        pid=int(resource["process.pid"]),
        name=span.name,
        kind=_KINDS[span.kind],
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent_id=span.parent_span_id.hex(),
        attributes=_attributes(span.attributes),
        events=tuple(event.name for event in span.events),
        links=tuple((link.trace_id.hex(), link.span_id.hex()) for link in span.links),
        failed=span.status.code == trace_pb2.Status.STATUS_CODE_ERROR,
        start=span.start_time_unix_nano,
        end=span.end_time_unix_nano,
    )


class HttpCollector:
    """OTLP over HTTP on ``url``. While ``answers`` is cleared it accepts requests, but does not answer them."""

    def __init__(self) -> None:
        self.received = Received()
        self.answers = threading.Event()
        self.answers.set()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                collector.answers.wait()
                if self.path != "/v1/traces":
                    self.send_error(404)
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                collector.received.take(ExportTraceServiceRequest.FromString(body), headers)
                answer = ExportTraceServiceResponse().SerializeToString()
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", free_port()), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.answers.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class GrpcCollector(TraceServiceServicer):
    """OTLP over gRPC on ``url``."""

    def __init__(self) -> None:
        self.received = Received()
        self._server = grpc.server(ThreadPoolExecutor(2))
        add_TraceServiceServicer_to_server(self, self._server)
        port = free_port()
        assert self._server.add_insecure_port(f"127.0.0.1:{port}") == port
        self.url = f"http://127.0.0.1:{port}"

    def Export(self, request: ExportTraceServiceRequest, context: Any) -> ExportTraceServiceResponse:  # noqa: N802
        self.received.take(request, dict(context.invocation_metadata()))
        return ExportTraceServiceResponse()

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(None).wait()

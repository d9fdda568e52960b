"""What a collector receives: one trace from the request to the sockets of every ws process, and nothing secret."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Iterator
from contextlib import AsyncExitStack, ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from tests.support import services, web
from tests.support.actors import Actors
from tests.support.clock import steady
from tests.support.eventually import eventually
from tests.support.faults import Faults
from tests.support.live import join
from tests.support.otlp import GrpcCollector, HttpCollector, Received, SpanRecord
from tests.support.postgres import PostgresServer
from tests.support.scene import off_loop
from tests.support.services import OwnServer
from tests.support.sockets import Socket
from tests.support.stack import Stack, base_environment, call_in, distributed_stack, embedded_stack, fresh_sqlite

STATUS_ROUTE = "/api/v1/bookings/<id:booking_id>/status/"
TRACKING_ROUTE = "/api/v1/tracking/<id:booking_id>/"


@dataclass
class Caller:
    """Somebody whose request is part of a trace already."""

    trace_id: str
    span_id: str

    @classmethod
    def new(cls) -> Caller:
        return cls(secrets.token_hex(16), secrets.token_hex(8))

    @property
    def headers(self) -> dict[str, str]:
        return {"traceparent": f"00-{self.trace_id}-{self.span_id}-01"}


@dataclass
class System:
    """The servers, whom they send their traces, and two ws processes of our own."""

    stack: Stack
    received: Received
    faults: Faults
    people: Actors

    async def change(self, what: Literal["status", "location"], booking: str, spans: int = 5) -> list[SpanRecord]:
        """Watch on both ws processes, twice on the first, and change something; the spans of that trace, all there."""
        caller = Caller.new()
        token = self.people.employer.token
        async with AsyncExitStack() as sockets:
            watchers = [
                await sockets.enter_async_context(await join(self.stack.booking_url(booking, pod), token))
                for pod in (0, 0, 1)
            ]
            worker = self.people.worker
            if what == "status":
                worker.call("PATCH", f"bookings/{booking}/status/", {"status": "on_the_way"}, headers=caller.headers)
            else:
                position = {"lat": 28.6, "lng": 77.2}
                worker.call("POST", f"tracking/{booking}/", position, headers=caller.headers)
            for watcher in watchers:
                await watcher.next_of("booking_status" if what == "status" else "location_update")
        return self.received.trace(caller.trace_id, spans)


@pytest.fixture(
    scope="module", params=["http/protobuf", pytest.param("grpc", marks=[pytest.mark.slow, pytest.mark.variant])]
)
def system(
    request: pytest.FixtureRequest, postgres_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[System]:
    directory = tmp_path_factory.mktemp("traces")
    with ExitStack() as started:
        collector: HttpCollector | GrpcCollector = HttpCollector() if request.param != "grpc" else GrpcCollector()
        started.enter_context(collector)
        faults = Faults(directory / "faults")
        settings = {
            "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
            "OTEL_EXPORTER_OTLP_PROTOCOL": request.param,
            "OTEL_EXPORTER_OTLP_HEADERS": "x-collector-key=of%20this%20test",
            "OTEL_BSP_SCHEDULE_DELAY": "100",
            "OTEL_TRACES_SAMPLER_ARG": "0",  # only what a caller asks for
            "HUB_COMPARISON_INTERVAL": "60",
            "RELAY_AFTER": "5",  # longer than a request takes to publish on a slow machine
            "TRACKING_MIN_INTERVAL": "0",
            **faults.environment,
        }
        stack = started.enter_context(distributed_stack(directory, postgres_server, ws=0, **settings))
        for number in range(2):
            own = OwnServer(directory, {**stack.environment, "SERVICES": "ws"}, name=f"own{number}")
            stack.ws.append(started.enter_context(own))
        people = Actors.of(stack)
        started.callback(people.close)
        yield System(stack, collector.received, faults, people)


def named(spans: list[SpanRecord], name: str) -> SpanRecord:
    (span,) = (span for span in spans if span.name == name)
    return span


def check_deliveries(spans: list[SpanRecord], lane: str, publish: SpanRecord) -> None:
    """One for each ws process, both children of the publish and linked to it, ended when the last socket had it."""
    deliveries = [span for span in spans if span.name == f"deliver {lane}"]
    assert len(deliveries) == 2
    assert len({span.pid for span in deliveries}) == 2
    assert sorted(span.attributes["hunarmitra.sockets"] for span in deliveries) == [1, 2]
    for span in deliveries:
        assert span.service == "hunarmitra-ws"
        assert span.kind == "consumer"
        assert span.parent_id == publish.span_id
        assert span.links == ((publish.trace_id, publish.span_id),)
        assert span.attributes["hunarmitra.lane"] == lane
        assert span.attributes["messaging.system"] == "redis"
        assert publish.start <= span.start <= span.end


async def test_a_status_is_one_trace_from_the_request_to_every_process(system: System) -> None:
    booking = system.people.new_booking("confirmed")
    spans = await system.change("status", booking)
    request = named(spans, f"PATCH {STATUS_ROUTE}")
    assert request.kind == "server"
    assert request.service == "hunarmitra-http"
    assert request.attributes["http.route"] == STATUS_ROUTE
    assert request.attributes["http.response.status_code"] == 200
    assert request.parent_id
    assert not request.failed
    transaction = named(spans, "booking_status_change")
    assert transaction.parent_id == request.span_id
    assert transaction.events == ("committed",)
    publish = named(spans, "publish status")
    assert publish.parent_id == transaction.span_id
    assert publish.kind == "producer"
    assert publish.attributes["hunarmitra.booking_id"] == booking
    assert publish.links == ()
    assert request.start <= transaction.start <= publish.start <= publish.end <= transaction.end <= request.end
    assert {span.pid for span in (request, transaction, publish)} == {request.pid}
    check_deliveries(spans, "status", publish)
    assert len(spans) == 5, "nothing for each socket or frame"


async def test_a_location_is_one_trace_too(system: System) -> None:
    spans = await system.change("location", system.people.new_booking("confirmed"))
    request = named(spans, f"POST {TRACKING_ROUTE}")
    assert named(spans, "location_accept").parent_id == request.span_id
    publish = named(spans, "publish location")
    assert publish.parent_id == request.span_id
    check_deliveries(spans, "location", publish)
    assert len(spans) == 5


async def test_the_relay_goes_on_with_the_trace_of_the_request(system: System) -> None:
    booking = system.people.new_booking("confirmed")
    system.faults.arm("committed, not published", "raise")
    spans = await system.change("status", booking, 6)
    transaction = named(spans, "booking_status_change")
    # Notifications are relayed apart from the booking's events, and no booking is named for them.
    publish = next(span for span in spans if span.attributes.get("hunarmitra.booking_id") == booking)
    assert publish.service == "hunarmitra-relay"
    assert publish.pid != transaction.pid
    assert publish.parent_id == transaction.span_id
    assert publish.links == ((transaction.trace_id, transaction.span_id),)
    check_deliveries(spans, "status", publish)


async def test_latency_has_the_trace_as_an_exemplar(system: System) -> None:
    spans = await system.change("status", system.people.new_booking("confirmed"))
    own = system.stack.ws[0]
    assert isinstance(own, OwnServer)
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    text = (await off_loop(httpx.get, f"{own.admin_url}/metrics", headers=accept, trust_env=False, timeout=30)).text
    exemplars = {
        stage: re.findall(rf'{stage}".* # {{trace_id="([0-9a-f]+)"}}', text)
        for stage in ("published_to_pod", "pod_to_socket", "commit_to_socket")
    }
    for stage, traces in exemplars.items():
        assert spans[0].trace_id in traces, (stage, traces)


async def test_a_handshake_is_a_span_of_its_own(system: System) -> None:
    booking = system.people.new_booking("confirmed")
    caller = Caller.new()
    url, token = system.stack.booking_url(booking), system.people.employer.token
    async with await Socket.connect(url, token=token, headers=caller.headers) as socket:
        await socket.joined()
        (span,) = system.received.trace(caller.trace_id, 1)  # while the socket is open
    assert span.name == "websocket handshake"
    assert span.parent_id == caller.span_id
    assert span.events == ("accepted", "subscribed", "read")
    assert span.attributes == {"hunarmitra.stream": "booking", "hunarmitra.outcome": "joined"}


def test_nothing_secret_and_nobody_is_in_a_trace(system: System) -> None:
    people = system.people
    asyncio.run(system.change("status", people.new_booking("confirmed")))
    caller = Caller.new()
    query = f"?token={people.employer.token}&phone=9876543210"
    web.get(f"{system.stack.base_url}/api/v1/users/me/{query}", headers=caller.headers, timeout=30)
    system.received.trace(caller.trace_id, 1)
    everything = repr(system.received.spans)
    for person in (people.employer, people.worker, people.admin):
        for secret in (person.token, person.id, person.user.name, person.user.username):
            assert secret not in everything
    assert "9876543210" not in everything
    assert all(headers["x-collector-key"] == "of this test" for headers in system.received.headers)


def test_what_nobody_asked_to_trace_is_not_traced(system: System) -> None:
    before = len(system.received.spans)
    caller = Caller.new()
    system.people.employer.call("GET", "users/me/")
    system.people.employer.call("GET", "users/me/", headers=caller.headers)
    system.received.trace(caller.trace_id, 1)
    assert {span.trace_id for span in system.received.spans[before:]} == {caller.trace_id}


@pytest.mark.slow
async def test_one_process_does_it_all_and_says_so(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        settings: dict[str, Any] = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, "OTEL_BSP_SCHEDULE_DELAY": "100"}
        with embedded_stack(tmp_path, **settings) as stack:
            people = Actors.of(stack)
            booking = people.new_booking("confirmed")
            caller = Caller.new()
            async with await join(stack.booking_url(booking), people.employer.token) as socket:
                change = {"status": "on_the_way"}
                await off_loop(
                    people.worker.call, "PATCH", f"bookings/{booking}/status/", change, headers=caller.headers
                )
                await socket.next_of("booking_status")
            people.close()
            spans = collector.received.trace(caller.trace_id, 4)
    assert {span.service for span in spans} == {"hunarmitra"}
    publish, deliver = named(spans, "publish status"), named(spans, "deliver status")
    assert publish.parent_id == named(spans, "booking_status_change").span_id
    assert deliver.parent_id == publish.span_id
    assert deliver.attributes["messaging.system"] == "memory"
    assert deliver.attributes["hunarmitra.sockets"] == 1


@pytest.mark.slow
def test_a_collector_that_does_not_answer_delays_neither_requests_nor_the_end(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        collector.answers.clear()
        environment = base_environment(
            DATABASE_URL=fresh_sqlite(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_SCHEDULE_DELAY="50"
        )
        with services.gunicorn(tmp_path, environment) as http:
            for _ in range(20):
                assert web.get(f"{http.url}/api/v1/users/me/", timeout=30).status_code == 401
            began = steady()
            assert http.terminate(timeout=60) == 0
            assert steady() - began < 12, "three seconds for the remaining spans, also if nothing accepts them"


@pytest.mark.slow
def test_what_is_left_is_exported_at_the_end_and_the_arbiter_has_no_thread(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        environment = base_environment(
            DATABASE_URL=fresh_sqlite(tmp_path), OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, WEB_CONCURRENCY="2"
        )
        caller = Caller.new()
        with services.gunicorn(tmp_path, environment) as http:
            web.get(f"{http.url}/api/v1/users/me/", headers=caller.headers, timeout=30)
            assert len(list(Path(f"/proc/{http.pid}/task").iterdir())) == 1
            http.terminate()
        (span,) = collector.received.trace(caller.trace_id, 1, timeout=0)
        assert span.pid != http.pid


def test_a_fork_traces_anew(tmp_path: Path) -> None:
    with HttpCollector() as collector:
        environment = base_environment(
            DATABASE_URL=fresh_sqlite(tmp_path),
            DJANGO_SETTINGS_MODULE="hunarmitra.settings",
            OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        )
        call_in(environment, trace_before_and_after_a_fork)
        eventually(lambda: len(collector.received.spans) >= 3)
        spans = {span.name: span for span in collector.received.spans}
        assert len(collector.received.spans) == 3, "the child does not export its parent's span again"
        assert spans["before the fork"].pid == spans["parent"].pid != spans["child"].pid


def trace_before_and_after_a_fork() -> None:
    import os

    import django

    django.setup()
    from hunarmitra.telemetry import tracing

    with tracing.root_span("before the fork"):
        pass
    child = os.fork()
    with tracing.root_span("child" if child == 0 else "parent"):
        pass
    if child:
        os.waitpid(child, 0)


def modules_of_tracing_after_all_kinds_of_work() -> list[Any]:
    """Return the status of a request, and the loaded modules of tracing.

    redis-py loads parts of OpenTelemetry for its metrics wherever it is installed; these do not count.
    """
    import sys

    import django

    django.setup()
    from django.test import Client

    from hunarmitra.outbox.publishing import publish_events
    from hunarmitra.outbox.transactions import traced_transaction
    from hunarmitra.protocol.messages import Message
    from hunarmitra_ws.metrics import metrics

    traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    answer = Client().get("/api/v1/users/me/", headers={"traceparent": traceparent, "host": "127.0.0.1"})
    with traced_transaction("change"):
        pass
    publish_events([Message("booking.1", {"type": "realtime.status", "seq": 1}, traceparent)])
    body = {"committed_at": 1, "published_at": 1, "traceparent": traceparent}
    arrival = metrics.latency.arrived(body, "status")
    assert arrival is not None
    assert arrival.trace_id == traceparent[3:35]
    tracing = (
        "opentelemetry.sdk.trace",
        "opentelemetry.exporter",
        "opentelemetry.proto",
        "google.protobuf",
        "grpc",
        "hunarmitra.telemetry.opentelemetry_spans",
    )
    return [answer.status_code, sorted(name for name in sys.modules if name.startswith(tracing))]


@pytest.mark.slow
@pytest.mark.parametrize(
    "off", [{}, {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", "OTEL_SDK_DISABLED": "true"}]
)
def test_where_nobody_traces_no_tracing_is_even_loaded(tmp_path: Path, off: dict[str, str]) -> None:
    environment = base_environment(
        DATABASE_URL=fresh_sqlite(tmp_path), DJANGO_SETTINGS_MODULE="hunarmitra.settings", **off
    )
    assert call_in(environment, modules_of_tracing_after_all_kinds_of_work) == [401, []]

"""The interface of tracing, without a traced request."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hunarmitra.config.declaration import ConfigurationError
from hunarmitra.config.environment import Environment
from hunarmitra.config.reading import read_environment
from hunarmitra.telemetry import tracing
from hunarmitra.telemetry.tracing import NO_SPAN
from hunarmitra_ws.hub.channel import Channel
from hunarmitra_ws.metrics import metrics

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
NO_TRACEPARENTS = [
    None,
    7,
    b"00",
    "",
    TRACEPARENT.upper(),
    TRACEPARENT[:-1],
    f"{TRACEPARENT}-more",
    f"ff{TRACEPARENT[2:]}",
    f"00-{'0' * 32}-00f067aa0ba902b7-01",
    f"00-4bf92f3577b34da6a3ce929d0e0e4736-{'0' * 16}-01",
]


def environment(**variables: str) -> Environment:
    return read_environment({"SECRET_KEY": "x" * 50, **variables})


@pytest.fixture
def switched_on() -> Iterator[None]:
    """Configure tracing without starting an exporter."""
    tracing.configure(environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:1"), "hunarmitra-test")
    yield
    tracing.configure(environment(), "")


def test_off_everything_is_the_same_nothing() -> None:
    assert not tracing.is_on()
    tracing.start()
    assert tracing.request_span("GET", {"traceparent": TRACEPARENT}) is NO_SPAN
    assert tracing.root_span("root") is NO_SPAN
    assert tracing.continued_span("deliver", TRACEPARENT) is NO_SPAN
    with tracing.span("child") as span:
        span.set("name", "value")
        span.event("moment")
        span.rename("other")
        span.fail("reason")
    assert span is NO_SPAN
    assert tracing.current_traceparent() is None
    assert tracing.current_ids() is None


@pytest.mark.usefixtures("switched_on")
@pytest.mark.parametrize("traceparent", NO_TRACEPARENTS)
def test_what_is_no_traceparent_begins_nothing(traceparent: object) -> None:
    assert tracing.continued_span("deliver", traceparent) is NO_SPAN
    assert tracing.trace_id_of(traceparent) is None


def test_the_trace_of_a_traceparent() -> None:
    assert tracing.trace_id_of(TRACEPARENT) == "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.usefixtures("switched_on")
@pytest.mark.parametrize("traceparent", NO_TRACEPARENTS)
def test_an_event_is_delivered_whatever_its_traceparent_is(traceparent: object) -> None:
    body = {"committed_at": 1, "published_at": 1, "traceparent": traceparent}
    arrival = metrics.latency.arrived(body, "status")
    assert arrival is not None
    assert arrival.trace_id is None
    assert arrival.span is NO_SPAN
    group = Channel("booking.1")
    group.start(seq=0, min_location_seq=0, location_order=0)
    assert group.receive(1, "{}", False, arrival)
    assert group.last_seq == 1


def test_grpc_that_is_not_installed_stops_the_start_with_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "_is_installed", lambda package: False)
    wanted = {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    tracing.configure(environment(**wanted), "hunarmitra-test")  # off: it is not needed
    with pytest.raises(ConfigurationError, match=r"OTEL_EXPORTER_OTLP_PROTOCOL is grpc, but .* OTLP_GRPC=1"):
        tracing.configure(environment(OTEL_EXPORTER_OTLP_ENDPOINT="http://c:4317", **wanted), "hunarmitra-test")
    assert not tracing.is_on()


@pytest.mark.parametrize(
    ("variables", "on"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
    ],
)
def test_an_endpoint_switches_it_on(variables: dict[str, str], on: bool) -> None:
    assert environment(**variables).traces is on

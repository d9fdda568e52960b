"""Settings of event delivery, retention and tracing."""

from __future__ import annotations

from dataclasses import dataclass

from hunarmitra.config.declaration import variable
from hunarmitra.config.values import (
    TRACE_SAMPLERS,
    boolean,
    collector_url,
    integer,
    one_of,
    pairs,
    ratio,
    seconds,
    text_value,
)


@dataclass(frozen=True, kw_only=True)
class DeliverySettings:
    """Settings of event delivery, retention and tracing."""

    hub_comparison_interval: float | None = variable(
        seconds(0.1, 60),
        None,
        "Seconds between comparisons of the watched bookings with the database.",
        shown="5 with Redis, 1 without",
        section="Event delivery",
    )
    hub_revocation_interval: float = variable(
        seconds(0.1, 60), 1, "Seconds between queries for revocations whose announcement was lost."
    )
    hub_heartbeat_interval: float = variable(
        seconds(0.1, 30), 1, "Seconds between the heartbeats that the Redis subscriber sends to itself."
    )
    hub_heartbeat_timeout: float = variable(
        seconds(0.2, 60), 3, "Seconds without a heartbeat after which the subscriber reconnects to Redis."
    )
    ack_sample_rate: float = variable(
        ratio,
        0.01,
        "Fraction of status events and notifications, 0 to 1, that ask clients for an acknowledgement, to measure the "
        "round trip. 0.01 shows a fleet's 99th percentile within minutes and costs phones almost nothing; 0 for none.",
    )
    relay_after: float = variable(seconds(0.1, 300), 2, "Age in seconds at which the relay takes an unpublished event.")
    relay_interval: float = variable(
        seconds(0.05, 60), 1, "Seconds between two queries of the relay for unpublished events."
    )

    prune_events_after_days: int = variable(
        integer(1, 3650),
        90,
        "Days after a booking's end at which `manage.py prune` deletes its events.",
        section="Retention",
    )
    prune_notifications_after_days: int = variable(
        integer(1, 3650), 90, "Days after which `manage.py prune` deletes read notifications."
    )
    prune_unread_notifications_after_days: int = variable(
        integer(1, 3650), 365, "Days after which `manage.py prune` deletes unread notifications."
    )
    worker_details_days: int = variable(
        integer(0, 3650),
        7,
        "Days after a booking's end for which its worker can read its address, its place and its notes. Afterwards "
        "they are empty for the worker, and stay for its owner and for staff.",
    )

    otel_exporter_otlp_endpoint: str = variable(
        collector_url,
        "",
        "Base URL of an OpenTelemetry collector, `http://collector:4318`, or `:4317` for gRPC. Without it nothing is "
        "traced, and the OpenTelemetry packages are not loaded.",
        shown="none",
        section="Tracing (OpenTelemetry's own variables; the SDK reads its others too)",
    )
    otel_exporter_otlp_protocol: str = variable(
        one_of("http/protobuf", "grpc"),
        "http/protobuf",
        "Transport of traces. gRPC needs an image that was built with it (`OTLP_GRPC=1`).",
    )
    otel_exporter_otlp_headers: tuple[tuple[str, str], ...] = variable(
        pairs,
        (),
        "Headers of the exporter's requests, `name=value,other=value`: credentials for the collector.",
        secret=True,
        shown="none",
    )
    otel_traces_sampler: str = variable(
        one_of(*TRACE_SAMPLERS),
        "parentbased_traceidratio",
        "Which requests are traced. `parentbased_…` samplers follow the `traceparent` of a request. Where untrusted "
        "clients can send one, use `traceidratio`.",
    )
    otel_traces_sampler_arg: float = variable(
        ratio, 1.0, "Fraction of requests that is traced, 0 to 1, for the samplers with a ratio."
    )
    otel_service_name: str = variable(
        text_value,
        "",
        "Name of this process in traces and in JSON logs.",
        shown="hunarmitra- and what runs: http, ws, relay …",
    )
    otel_sdk_disabled: bool = variable(boolean, False, "Switches tracing off, whatever the other variables say.")

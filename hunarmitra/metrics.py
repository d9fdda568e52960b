"""The metrics of this process, by the services that it serves."""

from __future__ import annotations

from django.conf import settings

from hunarmitra.telemetry import database, exposition, publisher, requests, security


def expose_metrics() -> None:
    """Select the metrics, and serve them on METRICS_PORT if it is set. Called once, with the application."""
    environment = settings.ENVIRONMENT
    if exposition.shares_files():
        exposition.expose_all_processes()
    else:
        exposition.expose_process()
        _expose_parts()
    if environment.metrics_port:
        exposition.serve_metrics(environment.metrics_host, environment.metrics_port)


def _expose_parts() -> None:
    exposition.expose(database.REGISTRY)
    relays = settings.SERVES_WS and settings.ENVIRONMENT.relays_in_process
    if settings.SERVES_HTTP:
        from hunarmitra_http.metrics import REGISTRY as HTTP

        exposition.expose(HTTP, requests.REGISTRY, security.REGISTRY)
    if settings.SERVES_WS:
        from hunarmitra_ws.metrics import metrics

        exposition.expose(metrics.collector())
    if settings.SERVES_HTTP or relays:
        exposition.expose(publisher.REGISTRY)
    if relays:
        from hunarmitra.telemetry.relay import REGISTRY as RELAY

        exposition.expose(RELAY)

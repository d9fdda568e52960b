"""``/metrics`` of this process, in the format that the scraper asks for.

Two components of one process may keep the same metric, such as the event latency of the publisher and of the hub. Their
series are merged into one family here.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Final

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector, start_http_server
from prometheus_client.exposition import choose_encoder, make_wsgi_app
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

logger = logging.getLogger(__name__)

SHARED_FOLDER: Final = "PROMETHEUS_MULTIPROC_DIR"
"""prometheus_client's variable: the folder in which several processes keep their metrics."""


class _Exposition(Collector):
    """The collectors of this process's parts, their families of one name merged."""

    def __init__(self) -> None:
        self._parts: list[Collector] = []

    def add(self, *parts: Collector) -> None:
        self._parts.extend(part for part in parts if part not in self._parts)

    def describe(self) -> Iterable[Family]:
        return ()

    def collect(self) -> Iterator[Family]:
        families: dict[str, Family] = {}
        for part in self._parts:
            for family in part.collect():
                known = families.setdefault(family.name, family)
                if known is not family:
                    known.samples.extend(family.samples)
        yield from families.values()


_exposition = _Exposition()
_registry = CollectorRegistry()
_registry.register(_exposition)


def expose(*parts: Collector) -> None:
    """Show the metrics of these collectors on ``/metrics``."""
    _exposition.add(*parts)


def expose_process() -> None:
    """Show memory, CPU time and open files of this process, and the version of Python."""
    registry = CollectorRegistry()
    ProcessCollector(registry=registry)
    PlatformCollector(registry=registry)
    expose(registry)


def expose_all_processes() -> None:
    """Show the sums of all processes of a server, in each of them: see gunicorn's configuration."""
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    expose(registry)


def shares_files() -> bool:
    """Whether this process is one of several that keep their metrics in shared files."""
    return SHARED_FOLDER in os.environ


def exposition(accept: str) -> tuple[bytes, str]:
    """The metrics, and their content type: OpenMetrics (with exemplars) or text, as ``Accept`` has it."""
    encode, content_type = choose_encoder(accept)
    return encode(_registry), content_type


def with_livez(metrics: WSGIApplication, stuck: Callable[[], bool]) -> WSGIApplication:
    """Return a WSGI application with the metrics and ``/livez``."""

    def application(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        if environ["PATH_INFO"] != "/livez":
            return metrics(environ, start_response)
        failed = stuck()
        status = "503 Service Unavailable" if failed else "200 OK"
        start_response(status, [("Content-Type", "text/plain; charset=utf-8"), ("Cache-Control", "no-store")])
        return [b"stuck\n" if failed else b"ok\n"]

    return application


def serve_metrics(host: str, port: int, *, stuck: Callable[[], bool] | None = None) -> bool:
    """Serve ``/metrics`` from a thread, and with ``stuck`` also ``/livez``, which fails while the process is stuck.

    Returns False, with a warning, if the port is in use: the process runs without metrics then.
    """
    try:
        server, _ = start_http_server(port, addr=host, registry=_registry)
        if stuck is not None:
            server.set_app(with_livez(make_wsgi_app(_registry), stuck))
    except OSError as error:
        logger.warning("no metrics: cannot listen on %s:%d: %s", host, port, error.strerror or error)
        return False
    logger.info("metrics on %s:%d", host, port)
    return True

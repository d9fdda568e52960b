"""What each process shows is what the catalogue says: no series less, and none more."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hunarmitra.telemetry.catalogue import CATALOGUE, Process
from tests.integration.metrics.conftest import Measured
from tests.support import web
from tests.support.actors import Actors
from tests.support.eventually import eventually, eventually_async
from tests.support.metrics import OF_THE_PROCESS, Scrape, expected
from tests.support.ports import accepts_connections, free_port
from tests.support.sockets import Socket
from tests.support.stack import embedded_stack


def check(scrape: Scrape, *processes: Process) -> None:
    assert scrape.ours() == expected(processes)
    kinds = {family.name: family.type for family in scrape.families if not family.name.startswith(OF_THE_PROCESS)}
    shown = [metric for metric in CATALOGUE if metric.processes & set(processes)]
    assert kinds == {metric.name.removesuffix("_total"): metric.kind.value for metric in shown}
    helps = {family.name: family.documentation for family in scrape.families}
    for metric in shown:
        assert helps[metric.name.removesuffix("_total")] == metric.help


def test_each_process_of_a_fleet_shows_the_catalogue(measured: Measured) -> None:
    check(measured.http(), Process.HTTP)
    check(measured.ws(), Process.WS)
    check(measured.relay(), Process.RELAY)
    for scrape in (measured.ws(), measured.relay()):
        assert scrape("process_open_fds") > 0


async def test_the_embedded_run_shows_everything_on_one_port(tmp_path: Path) -> None:
    port = free_port()
    with embedded_stack(tmp_path, METRICS_PORT=str(port)) as stack:
        eventually(lambda: accepts_connections(port), 90, "the metrics' port")
        url = f"http://127.0.0.1:{port}/metrics"
        check(Scrape(url), *Process)
        assert time.time() - Scrape(url)("hunarmitra_relay_last_success_timestamp_seconds") < 60, "it waits for sockets"
        with closing(Actors.of(stack)) as actors:
            booking = actors.new_booking("confirmed")
            async with await Socket.connect(stack.booking_url(booking), token=actors.employer.token) as socket:
                await socket.joined()
                await asyncio.to_thread(actors.worker.status, booking, "on_the_way")
                await socket.next_of("booking_status")
                name = "hunarmitra_event_latency_seconds_count"
                await eventually_async(lambda: Scrape(url)(name, stage="commit_to_socket", lane="status") == 1)
        check(Scrape(url), *Process)
        with pytest.raises(httpx.HTTPStatusError, match="404"):
            Scrape(f"{stack.base_url}/metrics", {"Host": "127.0.0.1"})


def test_the_format_is_the_scrapers_choice(measured: Measured) -> None:
    for url in (measured.http_url, f"{measured.server.admin_url}/metrics", measured.relay_url):
        text, openmetrics = Scrape(url, {"Accept": "text/plain"}), Scrape(url)
        assert text.content_type.startswith("text/plain; version=")
        assert openmetrics.content_type.startswith("application/openmetrics-text; version=1.0.0")
        assert openmetrics.text.endswith("# EOF\n")
        assert text.ours() == openmetrics.ours()


def test_metrics_are_on_no_public_port(measured: Measured) -> None:
    for url in (measured.gunicorn.url, measured.server.url):
        for host in ("127.0.0.1", httpx.URL(measured.http_url).netloc.decode()):
            answer = web.get(f"{url}/metrics", headers={"Host": host}, timeout=30)
            assert answer.status_code in {400, 404}
            assert "hunarmitra_" not in answer.text

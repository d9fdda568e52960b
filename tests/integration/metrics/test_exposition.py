"""What each process shows is what the catalogue says: no series less, and none more."""

from __future__ import annotations

from pathlib import Path

import httpx

from hunarmitra.observability.catalogue import CATALOGUE, Process
from tests.integration.metrics.conftest import Measured
from tests.support.eventually import eventually
from tests.support.metrics import OF_THE_PROCESS, Scrape, expected
from tests.support.ports import accepts_connections, free_port
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


def test_the_embedded_run_shows_everything_on_one_port(tmp_path: Path) -> None:
    port = free_port()
    with embedded_stack(tmp_path, METRICS_PORT=str(port)) as stack:
        eventually(lambda: accepts_connections(port), 20, "the metrics' port")
        check(Scrape(f"http://127.0.0.1:{port}/metrics"), *Process)
        public = httpx.get(f"{stack.base_url}/metrics", trust_env=False)
        assert public.status_code == 404


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
            answer = httpx.get(f"{url}/metrics", headers={"Host": host}, trust_env=False)
            assert answer.status_code in {400, 404}
            assert "hunarmitra_" not in answer.text

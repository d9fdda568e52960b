"""gunicorn's inner port: probes and metrics whatever `Host` says, and nothing else; the public port has neither."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import services, web
from tests.support.eventually import eventually
from tests.support.ports import free_port
from tests.support.services import HOST, ServiceProcess
from tests.support.stack import base_environment, fresh_sqlite, run_python

ADMIN_PORT = free_port()
PROBES = ["/livez", "/readyz", "/metrics"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServiceProcess]:
    directory = tmp_path_factory.mktemp("admin-port")
    environment = base_environment(
        DATABASE_URL=fresh_sqlite(directory), HTTP_ADMIN_PORT=str(ADMIN_PORT), WEB_CONCURRENCY="1"
    )
    with services.gunicorn(directory, environment, "--bind", f"{HOST}:{ADMIN_PORT}") as process:
        yield process


def get(url: str, host: str = "10.0.0.7") -> httpx.Response:
    return web.get(url, headers={"Host": host}, timeout=30)


@pytest.mark.parametrize("path", PROBES)
def test_probes_need_no_known_host_on_the_inner_port(server: ServiceProcess, path: str) -> None:
    assert get(f"http://{HOST}:{ADMIN_PORT}{path}").status_code == 200


@pytest.mark.parametrize("path", PROBES)
@pytest.mark.parametrize("host", ["127.0.0.1", f"127.0.0.1:{ADMIN_PORT}"], ids=["address", "inner port"])
def test_the_public_port_has_no_probes_whatever_the_host_says(server: ServiceProcess, path: str, host: str) -> None:
    assert get(f"{server.url}{path}", host).status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/v1/users/me/", "/admin/", "/api/schema/", "/livez/x"])
def test_the_inner_port_has_nothing_else(server: ServiceProcess, path: str) -> None:
    answer = get(f"http://{HOST}:{ADMIN_PORT}{path}", "127.0.0.1")
    assert (answer.status_code, answer.text) == (404, "Not found.\n")


def test_probes_are_not_logged_but_a_request_to_their_path_is(server: ServiceProcess) -> None:
    for path in PROBES:
        get(f"http://{HOST}:{ADMIN_PORT}{path}")
        get(f"{server.url}{path}?asked=publicly", "127.0.0.1")
    get(f"{server.url}/last/", "127.0.0.1")
    eventually(lambda: '"GET /last/ ' in server.log_text())
    statuses = re.findall(r'"GET /(?:livez|readyz|metrics) HTTP/1.1" (\d+)', server.log_text())
    assert statuses
    assert set(statuses) == {"404"}


def test_what_a_start_waits_for_is_said_once_and_is_no_error(tmp_path: Path) -> None:
    port = free_port()
    environment = base_environment(
        DATABASE_URL=f"sqlite:///{tmp_path / 'empty.sqlite3'}", HTTP_ADMIN_PORT=str(port), WEB_CONCURRENCY="1"
    )
    with services.gunicorn(tmp_path, environment, "--bind", f"{HOST}:{port}") as process:
        for _ in range(3):
            answer = get(f"http://{HOST}:{port}/readyz")
            assert answer.status_code == 503
        assert process.log_text().count("INFO hunarmitra_http.readiness: not ready yet: database: ") == 1
        run_python(environment, "manage.py", "migrate", "--no-input", "-v", "0")
        eventually(lambda: get(f"http://{HOST}:{port}/readyz").status_code == 200)
        eventually(lambda: "INFO hunarmitra_http.readiness: ready" in process.log_text())
        assert not re.search(r"ERROR|readyz", process.log_text())


def test_the_api_is_served_on_the_public_port(server: ServiceProcess) -> None:
    assert get(f"{server.url}/api/v1/users/me/", "127.0.0.1").status_code == 401

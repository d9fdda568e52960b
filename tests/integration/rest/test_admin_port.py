"""gunicorn's inner port: probes and metrics whatever `Host` says, and nothing else; the public port has neither."""

from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.support import services, web
from tests.support.ports import free_port
from tests.support.services import HOST, ServiceProcess
from tests.support.stack import base_environment, fresh_sqlite

ADMIN_PORT = free_port()


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


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
def test_probes_need_no_known_host_on_the_inner_port(server: ServiceProcess, path: str) -> None:
    assert get(f"http://{HOST}:{ADMIN_PORT}{path}").status_code == 200


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/metrics"])
@pytest.mark.parametrize("host", ["127.0.0.1", f"127.0.0.1:{ADMIN_PORT}"], ids=["address", "inner port"])
def test_the_public_port_has_no_probes_whatever_the_host_says(server: ServiceProcess, path: str, host: str) -> None:
    assert get(f"{server.url}{path}", host).status_code == 404


@pytest.mark.parametrize("path", ["/", "/api/v1/users/me/", "/admin/", "/api/schema/", "/livez/x"])
def test_the_inner_port_has_nothing_else(server: ServiceProcess, path: str) -> None:
    answer = get(f"http://{HOST}:{ADMIN_PORT}{path}", "127.0.0.1")
    assert (answer.status_code, answer.text) == (404, "Not found.\n")


def test_the_api_is_served_on_the_public_port(server: ServiceProcess) -> None:
    assert get(f"{server.url}/api/v1/users/me/", "127.0.0.1").status_code == 401

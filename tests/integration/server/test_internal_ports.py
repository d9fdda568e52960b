"""Probes and control on ports of their own: who may call what, and what bad calls are told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.server.conftest import TOKEN, own_server
from tests.support import web
from tests.support.services import OwnServer


@pytest.fixture(scope="module")
def server_without_token(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnServer]:
    with own_server(tmp_path_factory.mktemp("open"), WS_CONTROL_TOKEN_FILE="") as (server, _):
        yield server


AUTHORIZED = {"Authorization": f"Bearer {TOKEN}"}


def test_nothing_internal_is_on_the_public_port(shared_server: OwnServer) -> None:
    for path in ("/livez", "/readyz", "/metrics", "/connections", "/drain"):
        assert web.get(shared_server.url + path, timeout=30).status_code in {400, 404}, path


@pytest.mark.parametrize("header", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Basic {TOKEN}"}])
def test_control_needs_the_token(shared_server: OwnServer, header: dict[str, str]) -> None:
    for method, path in (("GET", "/connections"), ("POST", "/drain"), ("DELETE", "/drain"), ("POST", "/shed")):
        response = web.request(method, shared_server.control_url + path, headers=header, timeout=30)
        assert response.status_code == 401, path
        assert response.json()["code"] == "unauthenticated"
    assert web.get(f"{shared_server.admin_url}/readyz", timeout=30).json()["drain"] == "serving"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Host": "localhost"}, 200),
        ({"Host": "[::1]:8082"}, 200),
        ({"Host": "evil.example"}, 403),
        ({"Host": "10.0.0.9"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
    ],
)
def test_without_a_token_control_serves_no_web_page(
    server_without_token: OwnServer, headers: dict[str, str], status: int
) -> None:
    """A page may send requests to localhost, and DNS may lead any name there."""
    for method, path in (("GET", "/connections"), ("DELETE", "/drain")):
        url = server_without_token.control_url + path
        response = web.request(method, url, headers=headers, timeout=30)
        assert response.status_code == (404 if status == 200 and method == "DELETE" else status), path


def test_the_load_is_reported_for_the_operator(shared_server: OwnServer) -> None:
    url = f"{shared_server.control_url}/connections"
    body = web.get(url, headers=AUTHORIZED, timeout=30).json()
    assert body["metrics"].keys() == {"event_loop_delay_ms", "deliveries_per_second"}
    assert all(value >= 0 for value in body["metrics"].values())


def test_tokens_rotate_without_a_restart(tmp_path: Path) -> None:
    with own_server(tmp_path) as (server, _):
        (tmp_path / "control-token").write_text(f"fresh\n{TOKEN}\n")
        url = f"{server.control_url}/connections"
        for token in ("fresh", TOKEN):
            headers = {"Authorization": f"Bearer {token}"}
            assert web.get(url, headers=headers, timeout=30).status_code == 200
        (tmp_path / "control-token").write_text("fresh\n")
        assert web.get(url, headers=AUTHORIZED, timeout=30).status_code == 401
        log = server.log_text()
        assert TOKEN not in log
        assert "fresh" not in log


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/drain", b"{"),
        ("/drain", b"[]"),
        ("/drain", b'{"id": "", "ttl_seconds": 5}'),
        ("/drain", b'{"id": "x"}'),
        ("/drain", b'{"id": "x", "ttl_seconds": 0}'),
        ("/drain", b'{"id": "x", "ttl_seconds": 1e9}'),
        ("/drain", b'{"id": "x", "ttl_seconds": true}'),
        ("/drain", b'{"id": "x", "ttl_seconds": NaN}'),
        ("/shed", b'{"connections": -1}'),
        ("/shed", b'{"connections": 1.5}'),
        ("/shed", b"{}"),
    ],
)
def test_bad_calls_are_refused_and_change_nothing(shared_server: OwnServer, path: str, body: bytes) -> None:
    response = web.post(shared_server.control_url + path, content=body, headers=AUTHORIZED, timeout=30)
    assert response.status_code == 400
    assert set(response.json()) == {"detail", "code"}
    assert web.get(f"{shared_server.admin_url}/readyz", timeout=30).status_code == 200


def test_a_body_that_is_too_long_is_refused(shared_server: OwnServer) -> None:
    response = web.post(f"{shared_server.control_url}/drain", content=b" " * 5000, headers=AUTHORIZED, timeout=30)
    assert response.status_code == 413
    assert set(response.json()) == {"detail", "code"}
    assert web.get(f"{shared_server.admin_url}/readyz", timeout=30).json()["drain"] == "serving"


def test_an_unsupported_method_is_405_with_allow(shared_server: OwnServer) -> None:
    response = web.put(f"{shared_server.control_url}/drain", headers=AUTHORIZED, timeout=30)
    assert (response.status_code, response.headers["allow"]) == (405, "DELETE, POST")


def test_metrics_start_at_zero_for_every_label(shared_server: OwnServer) -> None:
    text = web.get(f"{shared_server.admin_url}/metrics", timeout=30).text
    for line in (
        'hunarmitra_ws_connections{kind="booking"} 0.0',
        'hunarmitra_ws_closes_total{code="4008"} 0.0',
        "hunarmitra_ws_draining 0.0",
    ):
        assert line in text

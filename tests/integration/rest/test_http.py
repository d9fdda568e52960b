"""What belongs to HTTP rather than to a resource: paths, methods, content negotiation, CORS, proxies, probes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from tests.integration.rest.conftest import http_processes
from tests.support import web
from tests.support.actors import Actors
from tests.support.api import Api
from tests.support.eventually import eventually
from tests.support.raw_sockets import RawSocket
from tests.support.stack import Stack, run_python

ORIGIN = "https://app.example.org"


@pytest.mark.parametrize(
    "path", ["/api/", "/api/v1/", "/api/v2/bookings/", "/api/v1/bookings", "/api/v1/users/me", "/api/v1/x/"]
)
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_a_wrong_path_is_404_in_json_and_no_redirect(nobody: Api, stack: Stack, path: str, method: str) -> None:
    answer = nobody.http.request(method, stack.base_url + path)
    assert answer.status_code == 404
    assert answer.json() == {"detail": "No such resource.", "code": "not_found"}


@pytest.mark.parametrize("method", ["DELETE", "PUT", "OPTIONS", "TRACE", "PATCH"])
def test_a_wrong_method_is_405_and_names_the_right_ones(actors: Actors, method: str) -> None:
    answer = actors.employer.send(method, "bookings/")
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "POST", "HEAD"}


@pytest.mark.parametrize("path", ["/api/schema/", "/livez"])
def test_a_request_for_the_whole_url_is_answered(stack: Stack, path: str) -> None:
    """As a client of a proxy writes it (RFC 9112, section 3.2.2)."""
    url = httpx.URL(stack.base_url)
    with RawSocket(int(url.port or 80)) as client:
        client.request(f"{url}{path}", "Connection: close")
        assert client.header().split()[1] == "200"


def test_head_is_get_without_a_body(actors: Actors) -> None:
    answer = actors.employer.send("HEAD", "users/me/")
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize(
    "accept", ["text/html", "application/xml", "image/*;q=0.1", "application/json; indent=4", "\xff"]
)
def test_every_answer_is_json_whatever_is_accepted(actors: Actors, accept: str) -> None:
    headers = {"Accept": accept.encode("latin-1")}
    for query in ("", "?format=xml", "?format=api"):
        answer = actors.employer.send("GET", f"users/me/{query}", headers=headers)  # type: ignore[arg-type]
        assert answer.status_code == 200
        assert answer.headers["Content-Type"] == "application/json"


def test_another_host_is_400_in_json(nobody: Api) -> None:
    answer = nobody.send("GET", "users/me/", headers={"Host": "evil.example.org"})
    assert answer.status_code == 400
    assert answer.json() == {"detail": "The request is not valid.", "code": "bad_request", "fields": {}}


def test_probes_answer_to_any_host(nobody: Api, stack: Stack) -> None:
    for host in ("10.1.2.3:8000", "127.0.0.1"):
        assert nobody.http.get(f"{stack.base_url}/livez", headers={"Host": host}).status_code == 200
        ready = nobody.http.get(f"{stack.base_url}/readyz", headers={"Host": host})
        assert ready.status_code == 200
        expected = {"database": "ok"} | ({"redis": "ok"} if stack.redis else {})
        assert ready.json() == {"status": "ready", "dependencies": expected}


def test_probes_are_not_logged(nobody: Api, stack: Stack) -> None:
    for path in ("/livez", "/readyz", "/no-probe/"):
        nobody.http.get(f"{stack.base_url}{path}")
    assert eventually(lambda: re.search(r'"GET /no-probe/\S* ', stack.log_text()))
    assert not re.search(r'"GET /(livez|readyz)[ ?"]', stack.log_text())


def test_without_a_list_no_other_origin_may_call(nobody: Api) -> None:
    answer = nobody.send("GET", "users/me/", headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.fixture(scope="module")
def behind_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    directory = tmp_path_factory.mktemp("proxied")
    limits = {"THROTTLE_AUTH_PER_MINUTE": "3", "TRUSTED_PROXIES": "127.0.0.1", "ALLOWED_ORIGINS": ORIGIN}
    with http_processes(directory, limits) as stack:
        yield stack


def test_a_listed_origin_may_call(behind_proxy: Stack) -> None:
    url = f"{behind_proxy.base_url}/api/v1/bookings/"
    asked = {
        "Origin": ORIGIN,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,content-type,idempotency-key",
    }
    preflight = web.options(url, headers=asked, timeout=30)
    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert {"authorization", "idempotency-key"} <= set(preflight.headers["Access-Control-Allow-Headers"].split(", "))
    answer = web.get(url, headers={"Origin": ORIGIN}, timeout=30)
    assert answer.headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "Retry-After" in answer.headers["Access-Control-Expose-Headers"]
    other = web.options(url, headers={**asked, "Origin": "https://evil.example.org"}, timeout=30)
    assert "Access-Control-Allow-Origin" not in other.headers


def test_a_trusted_proxy_tells_the_clients_address(behind_proxy: Stack) -> None:
    """Seen by whose limit is used up."""

    def verify(forwarded_for: str) -> int:
        with closing(Api(behind_proxy.base_url)) as api:
            headers = {"X-Forwarded-For": forwarded_for}
            return api.send("POST", "auth/verify/", {"token": "x"}, headers=headers).status_code

    assert [verify("198.51.100.7") for _ in range(4)] == [401, 401, 401, 429]
    assert verify("203.0.113.9, 198.51.100.7") == 429, "what the client itself wrote to the left counts nothing"
    assert verify("203.0.113.9") == 401
    assert verify("198.51.100.7:51234") == 429, "with a port it is the same address"
    assert verify("[2001:db8:2::1]:443") == 401
    assert [verify("2001:db8::1"), verify("2001:db8::2"), verify("2001:db8:0:0:9::")] == [401] * 3
    assert verify("2001:db8::3") == 429, "one IPv6 subscriber has a whole /64"
    assert verify("2001:db8:1::1") == 401


def test_without_trusted_proxies_the_headers_are_nothing(tmp_path: Path) -> None:
    with http_processes(tmp_path, {"THROTTLE_AUTH_PER_MINUTE": "1"}) as stack, closing(Api(stack.base_url)) as api:
        statuses = [
            api.send(
                "POST",
                "auth/verify/",
                {"token": "x"},
                headers={"X-Forwarded-For": f"198.51.100.{number}", "X-Forwarded-Proto": "https"},
            ).status_code
            for number in range(2)
        ]
    assert statuses == [401, 429]


@pytest.mark.slow
def test_a_process_is_ready_when_its_database_is_migrated(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'empty.sqlite3'}"
    with http_processes(tmp_path, {"DATABASE_URL": url}) as stack, closing(Api(stack.base_url)) as api:
        answer = api.http.get(f"{stack.base_url}/readyz")
        assert (answer.status_code, answer.json()["status"]) == (503, "starting")
        assert "not applied" in answer.json()["dependencies"]["database"]
        assert api.http.get(f"{stack.base_url}/livez").status_code == 200
        run_python(stack.environment, "manage.py", "migrate", "--no-input", "-v", "0")
        answer = api.http.get(f"{stack.base_url}/readyz")
        assert (answer.status_code, answer.json()) == (200, {"status": "ready", "dependencies": {"database": "ok"}})


def test_simultaneous_first_requests_for_the_description_succeed(tmp_path: Path) -> None:
    with http_processes(tmp_path, {}) as stack, ThreadPoolExecutor(8) as pool:
        url = f"{stack.base_url}/api/schema/"
        answers = list(pool.map(lambda _: web.get(url, timeout=60), range(8)))
    assert [answer.status_code for answer in answers] == [200] * 8
    assert len({answer.content for answer in answers}) == 1

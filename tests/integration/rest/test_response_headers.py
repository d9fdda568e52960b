"""The security headers of every kind of answer, from each server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.rest.conftest import http_processes
from tests.integration.rest.test_admin import Browser
from tests.support import services, web
from tests.support.actors import Actors
from tests.support.ports import free_port
from tests.support.processes import Process
from tests.support.raw_sockets import RawSocket
from tests.support.services import OwnServer, ServiceProcess
from tests.support.stack import Stack, base_environment, embedded_stack, fresh_sqlite

EVERYWHERE = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "x-frame-options": "DENY",
}
DATA = {
    **EVERYWHERE,
    "cache-control": "no-store",
    "content-security-policy": "default-src 'none'; frame-ancestors 'none'",
}
DESCRIPTION = {**DATA, "cache-control": "no-cache"}
OWN_FILES = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
NOTHING = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
DOCUMENT = {
    **EVERYWHERE,
    "cache-control": "no-cache",
    "content-security-policy": OWN_FILES,
    "permissions-policy": NOTHING,
}
KEPT_BY_NOBODY = "max-age=0, no-cache, no-store, must-revalidate, private"
ADMIN = {**DOCUMENT, "cache-control": KEPT_BY_NOBODY}
PAGE = {**ADMIN, "permissions-policy": NOTHING.replace("geolocation=()", "geolocation=(self)")}
PEOPLE = {**DATA, "cache-control": KEPT_BY_NOBODY}
STATIC = {**EVERYWHERE, "cache-control": "max-age=60, public"}
DECIDED = {*DATA, *DOCUMENT, "strict-transport-security"}

JSON = "Content-Type: application/json"
BAD_LOCATION = {"lat": 91, "lng": 0}
SECRET_KEY = "the-secret-key-that-all-processes-of-this-test-have"
VARIABLES = {"DEMO": "1", "TRUSTED_PROXIES": "127.0.0.1", "THROTTLE_AUTH_PER_MINUTE": "3", "SECRET_KEY": SECRET_KEY}


def decided(headers: httpx.Headers) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items() if name.lower() in DECIDED}


def decided_of(header: str, *, status: str) -> dict[str, str]:
    first, *lines = header.splitlines()
    assert first.split()[1] == status
    return decided(httpx.Headers([line.partition(": ")[::2] for line in lines if line]))


@dataclass
class Served:
    """A process in good order, one whose database has no tables, and one whose database is away."""

    stack: Stack
    people: Actors
    without_tables: ServiceProcess
    without_database: ServiceProcess
    booking_id: str

    def answer(self, method: str, path: str, url: str = "", **options: Any) -> httpx.Response:
        return web.request(method, (url or self.stack.base_url) + path, timeout=60, **options)


def broken(directory: Path, kind: str, database_url: str, name: str) -> ServiceProcess:
    environment = base_environment(DATABASE_URL=database_url, SERVICES="http", **VARIABLES)
    start = services.gunicorn if kind == "gunicorn" else services.daphne
    return start(directory, environment, name=name)


@pytest.fixture(scope="module", params=["gunicorn", "daphne"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    directory = tmp_path_factory.mktemp("headers")
    away = f"postgresql://nobody@127.0.0.1:{free_port()}/nothing"
    with ExitStack() as running:
        others = [
            broken(directory, request.param, f"sqlite:///{directory}/empty.sqlite3", "tables"),
            broken(directory, request.param, away, "database"),
        ]
        for process in others:
            running.callback(process.stop)
            process.launch()
        if request.param == "gunicorn":
            stack = running.enter_context(http_processes(directory, VARIABLES))
        else:
            stack = running.enter_context(embedded_stack(directory, server="daphne", options=(), **VARIABLES))
        for process in others:
            process.wait_ready()
        people = Actors.of(stack)
        running.callback(people.close)
        yield Served(stack, people, others[0], others[1], people.new_booking("on_the_way"))


def bearer(served: Served) -> dict[str, str]:
    return {"Authorization": f"Bearer {served.people.worker.token}"}


ROUTES: list[tuple[str, str, int, Mapping[str, str]]] = [
    ("GET", "/api/v1/users/me/", 200, DATA),
    ("HEAD", "/api/v1/users/me/", 200, DATA),
    ("GET", "/api/v1/bookings/{booking}/", 200, DATA),
    ("GET", "/api/v1/bookings/", 200, DATA),
    ("POST", "/api/v1/realtime/tickets/", 201, DATA),
    ("POST", "/api/v1/tracking/{booking}/", 200, DATA),
    ("POST", "/api/v1/tracking/{booking}/", 429, DATA),
    ("GET", "/api/v1/tracking/{booking}/", 200, DATA),
    ("GET", "/api/v1/nothing/", 404, DATA),
    ("GET", "/nothing/", 404, DATA),
    ("DELETE", "/api/v1/users/me/", 405, DATA),
    ("OPTIONS", "/api/v1/users/me/", 405, DATA),
    ("GET", "/api/schema/", 200, DESCRIPTION),
    ("GET", "/api/asyncapi/", 200, DESCRIPTION),
    ("GET", "/api/docs/", 200, DOCUMENT),
    ("GET", "/api/asyncapi/docs/", 200, DOCUMENT),
    ("GET", "/admin/login/", 200, ADMIN),
    ("GET", "/admin/", 302, ADMIN),
    ("GET", "/", 200, PAGE),
    ("GET", "/static/page/app.js", 200, STATIC),
    ("GET", "/static/page/service-worker.js", 200, STATIC),
    ("GET", "/static/nothing.js", 404, DATA),
    ("GET", "/livez", 200, DATA),
    ("GET", "/readyz", 200, DATA),
]


@pytest.mark.parametrize(("method", "path", "status", "expected"), ROUTES)
def test_every_route_has_its_headers(
    served: Served, method: str, path: str, status: int, expected: Mapping[str, str]
) -> None:
    location = {"lat": 28.6139, "lng": 77.209} if "tracking" in path and method == "POST" else None
    answer = served.answer(method, path.format(booking=served.booking_id), headers=bearer(served), json=location)
    assert answer.status_code == status
    assert decided(answer.headers) == expected


def test_the_demos_passwords_are_stored_by_no_browser(served: Served) -> None:
    answer = served.answer("GET", "/demo/people/")
    assert (answer.status_code, decided(answer.headers)) == (200, PEOPLE)


def test_an_admin_page_with_personal_data_is_stored_by_no_browser(served: Served) -> None:
    with closing(Browser(served.stack.base_url)) as browser:
        browser.sign_in(served.people.admin.user)
        for path in ("/admin/", "/admin/bookings/booking/", "/admin/accounts/user/"):
            assert decided(browser.request("GET", path).headers) == ADMIN


def test_rejected_requests_have_the_headers_of_data(served: Served) -> None:
    worker = bearer(served)
    tracking = f"/api/v1/tracking/{served.booking_id}/"
    answers = {
        400: served.answer("POST", tracking, headers=worker, json=BAD_LOCATION),
        401: served.answer("GET", "/api/v1/users/me/", headers={"Authorization": "Bearer nonsense"}),
        415: served.answer("POST", "/api/v1/auth/token/", content=b"x", headers={"Content-Type": "text/plain"}),
    }
    answers[429] = [served.answer("POST", "/api/v1/auth/verify/", json={"token": "x"}) for _ in range(4)][-1]
    foreign = served.answer("GET", "/api/v1/users/me/", headers={"Host": "elsewhere.example"})
    assert {answer.status_code for answer in (foreign, answers[400])} == {400}
    assert decided(foreign.headers) == DATA
    for status, answer in answers.items():
        assert (answer.status_code, decided(answer.headers)) == (status, DATA)


def test_a_body_that_is_too_long_has_the_headers_of_data(served: Served) -> None:
    with RawSocket(served.stack.http[0].port) as client:
        size = 70_000
        token = f"Authorization: {bearer(served)['Authorization']}"
        client.request("/api/v1/bookings/", JSON, token, f"Content-Length: {size}", "Connection: close", method="POST")
        client.send(b"x" * size)
        assert decided_of(client.header(), status="413") == DATA


def test_failures_have_the_headers_of_data(served: Served) -> None:
    url = served.without_tables.url
    answer = served.answer("GET", "/api/v1/users/me/", url, headers=bearer(served))
    assert (answer.status_code, decided(answer.headers)) == (500, DATA)
    url = served.without_database.url
    for method, path in (("GET", "/api/v1/users/me/"), ("POST", f"/api/v1/tracking/{served.booking_id}/")):
        answer = served.answer(method, path, url, headers=bearer(served), json={"lat": 1, "lng": 1})
        assert (answer.status_code, decided(answer.headers)) == (503, DATA)
    answer = served.answer("GET", "/readyz", url)
    assert (answer.status_code, decided(answer.headers)) == (503, DATA)


YEAR = {"strict-transport-security": "max-age=31536000"}


@pytest.mark.parametrize("path", ["/api/v1/users/me/", "/", "/admin/login/", "/static/page/app.js", "/nothing/"])
def test_https_is_for_a_year_where_a_trusted_proxy_says_that_it_was_used(served: Served, path: str) -> None:
    over = {**bearer(served), "X-Forwarded-For": "203.0.113.7"}
    secure = served.answer("GET", path, headers={**over, "X-Forwarded-Proto": "https"})
    plain = served.answer("GET", path, headers={**over, "X-Forwarded-Proto": "http"})
    assert decided(secure.headers) == decided(plain.headers) | YEAR


@pytest.mark.parametrize("by", [{}, {"Origin": "https://elsewhere.example"}], ids=["in front of Django", "Django"])
def test_a_location_over_https_has_it_too(served: Served, by: dict[str, str]) -> None:
    booking = served.people.new_booking("on_the_way")
    answer = served.answer(
        "POST",
        f"/api/v1/tracking/{booking}/",
        headers={**bearer(served), **by, "Forwarded": "for=203.0.113.7;proto=https"},
        json={"lat": 28.6139, "lng": 77.209},
    )
    assert (answer.status_code, decided(answer.headers)) == (200, DATA | YEAR)


@pytest.fixture(scope="module", params=["gunicorn", "hunarmitra_ws"])
def impatient(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A server that answers slow and large requests itself."""
    directory = tmp_path_factory.mktemp("impatient")
    variables = {"HTTP_HEADER_TIMEOUT": "1", "HTTP_BODY_TIMEOUT": "1"}
    if request.param == "gunicorn":
        with http_processes(directory, variables) as stack:
            yield stack.http[0]
    else:
        with embedded_stack(directory, server="hunarmitra_ws", options=(), **variables) as stack:
            yield stack.http[0]


@pytest.mark.parametrize(("length", "status"), [(400_000_000, "413"), (60, "408")])
def test_an_answer_of_the_server_itself_has_the_headers_of_data(
    impatient: ServiceProcess, length: int, status: str
) -> None:
    with RawSocket(impatient.port) as client:
        client.request("/api/v1/auth/token/", JSON, f"Content-Length: {length}", method="POST")
        client.send(b"{")
        assert decided_of(client.header(), status=status) == DATA


def test_a_process_for_connections_alone_answers_other_requests_with_the_headers_of_data(tmp_path: Path) -> None:
    environment = base_environment(DATABASE_URL=fresh_sqlite(tmp_path), SERVICES="ws")
    with services.daphne(tmp_path, environment) as stock:
        assert decided(web.get(f"{stock.url}/api/", timeout=60).headers) == DATA
    with OwnServer(tmp_path, environment) as own:
        assert decided(web.get(f"{own.url}/api/", timeout=60).headers) == DATA

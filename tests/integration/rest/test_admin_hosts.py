"""The admin on hosts of its own: they serve nothing else, and no other host serves the admin."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.integration.rest.conftest import http_processes
from tests.support import web
from tests.support.actors import Actors
from tests.support.stack import Stack

ADMIN, API = "admin.example.org", "127.0.0.1"


@pytest.fixture(scope="module")
def separated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with http_processes(tmp_path_factory.mktemp("hosts"), {"ADMIN_HOSTS": ADMIN, "DEMO": "1"}) as stack:
        yield stack


@pytest.mark.parametrize(
    ("path", "on_admin", "on_api"),
    [
        ("/admin/login/", 200, 404),
        ("/admin", 302, 404),
        ("/administrator/", 404, 404),
        ("/static/admin/css/base.css", 200, 200),
        ("/api/schema/", 404, 200),
        ("/api/v1/users/me/", 404, 401),
        ("/", 404, 200),
    ],
)
def test_each_host_serves_its_part(separated: Stack, path: str, on_admin: int, on_api: int) -> None:
    for host, status in ((ADMIN, on_admin), (API, on_api), ("elsewhere.example", 400)):
        if host == "elsewhere.example" and path.startswith("/static/"):
            continue
        answer = web.get(separated.base_url + path, headers={"Host": host}, timeout=60)
        assert answer.status_code == status, (host, answer.text)


def test_a_location_is_posted_to_the_apis_host_only(separated: Stack) -> None:
    with closing(Actors.of(separated)) as people:
        path = f"tracking/{people.new_booking('on_the_way')}/"
        location = {"lat": 28.6139, "lng": 77.209}
        assert people.worker.send("POST", path, location, headers={"Host": ADMIN}).status_code == 404
        assert people.worker.send("POST", path, location).status_code == 200

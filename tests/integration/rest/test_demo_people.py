"""The demo's passwords are shown to browsers of this machine, and never to a request that a proxy forwarded."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.rest.conftest import http_processes
from tests.support import web
from tests.support.stack import Stack

FORWARDED = (
    {"X-Forwarded-For": "203.0.113.7"},
    {"X-Forwarded-Proto": "https"},
    {"X-Forwarded-Host": "app.example.org"},
    {"X-Forwarded-Port": "443"},
    {"X-Real-IP": "203.0.113.7"},
    {"Forwarded": "for=203.0.113.7"},
    {"Via": "1.1 proxy"},
)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with http_processes(tmp_path_factory.mktemp("demo"), {"DEMO": "1"}) as stack:
        yield stack


@pytest.mark.parametrize("headers", FORWARDED, ids=lambda headers: next(iter(headers)))
def test_a_forwarded_request_gets_no_passwords(demo: Stack, headers: dict[str, str]) -> None:
    url = f"{demo.base_url}/demo/people/"
    assert web.get(url, timeout=60).status_code == 200
    assert web.get(url, headers=headers, timeout=60).status_code == 404

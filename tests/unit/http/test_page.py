"""Who receives the demo's passwords, and what the page may load."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.test import RequestFactory

import hunarmitra_http.page
from hunarmitra.common.response_headers import document_policy
from hunarmitra_http.page.people import offers_people
from hunarmitra_http.page.shell import add_static_headers
from tests.support.surroundings import REPOSITORY

HERE = {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "127.0.0.1:8000"}


def offered(settings: Any, *, demo: bool = True, debug: bool = False, **meta: Any) -> bool:
    settings.ENVIRONMENT = replace(settings.ENVIRONMENT, demo=demo, debug=debug)
    settings.ALLOWED_HOSTS = ["*"]
    return offers_people(RequestFactory().get("/", **{**HERE, **meta}))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost:8000", "[::1]:8000", "127.8.9.1"])
def test_the_person_at_this_machine_is_offered_the_demos_people(settings: Any, host: str) -> None:
    assert offered(settings, HTTP_HOST=host)
    assert offered(settings, HTTP_HOST=host, REMOTE_ADDR="::1")
    assert offered(settings, HTTP_HOST=host, demo=False, debug=True)


@pytest.mark.parametrize(
    "meta",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"HTTP_HOST": "demo.example.org"},  # the name resolves to 127.0.0.1, or a proxy forwarded the request
        {"HTTP_HOST": "localhost.example.org"},
        {"HTTP_X_FORWARDED_HOST": "demo.example.org"},
        {"HTTP_FORWARDED": "for=192.0.2.7"},
        {"HTTP_X_REAL_IP": "192.0.2.7"},
        {"HTTP_VIA": "1.1 proxy"},
    ],
)
def test_nobody_else_is(settings: Any, meta: dict[str, Any]) -> None:
    assert not offered(settings, **meta)


def test_without_demo_nobody_is(settings: Any) -> None:
    assert not offered(settings, demo=False)


def policy(tile_url: str = "") -> dict[str, list[str]]:
    directives = (directive.split() for directive in document_policy(tile_url).split(";"))
    return {name: words for name, *words in directives}


def test_a_page_loads_only_its_own_files_and_runs_nothing_written_into_it() -> None:
    given = policy()
    assert given["default-src"] == ["'none'"]
    assert given["script-src"] == given["style-src"] == given["connect-src"] == ["'self'"]
    assert given["manifest-src"] == given["worker-src"] == ["'self'"]
    assert not any("unsafe" in word or "*" in word for words in given.values() for word in words)


def test_tiles_may_come_from_their_origin_and_only_images() -> None:
    given = policy("https://tiles.example.org:8443/{z}/{x}/{y}.png?key=1")
    assert given.pop("img-src") == ["'self'", "data:", "https://tiles.example.org:8443"]
    assert not any("example" in word for words in given.values() for word in words)


PAGE = Path(hunarmitra_http.page.__file__).parent / "static" / "page"
CLIENT = REPOSITORY / "clients" / "js" / "src"


NOT_LOADED = {"react"}
"""Entry points of the client that the page does not use."""


def test_the_offline_shell_is_all_that_the_page_loads() -> None:
    kept = set(re.findall(r"^  '([^']+)',$", (PAGE / "service-worker.js").read_text(), re.MULTILINE))
    own = {f"page/{path.relative_to(PAGE)}" for path in PAGE.rglob("*.*") if path.name != "service-worker.js"}
    client = {
        f"realtime/{path.relative_to(CLIENT)}" for path in CLIENT.rglob("*.js") if path.parent.name not in NOT_LOADED
    }
    assert kept == own | client | {"leaflet/leaflet.css", "leaflet/leaflet.js"}


def test_the_service_worker_may_serve_the_whole_page_and_no_other_file_may() -> None:
    for path, allowed in {"page/service-worker.js": "/", "page/app.js": None, "realtime/index.js": None}.items():
        headers: dict[str, str] = {}
        add_static_headers(headers, path, f"/static/{path}")
        assert headers.get("Service-Worker-Allowed") == allowed


def test_the_manifest_describes_an_installed_page() -> None:
    manifest = json.loads((PAGE / "manifest.webmanifest").read_text())
    assert manifest["start_url"] == manifest["scope"] == "/"
    assert manifest["display"] == "standalone"
    for icon in manifest["icons"]:
        assert (PAGE / icon["src"]).is_file()

"""`make dev`: the server starts again when a source file changes, keeps the data and survives a syntax error."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support import web
from tests.support.eventually import eventually
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.surroundings import REPOSITORY

SOURCES = ("hunarmitra", "services", "clients/js/src", "tools")
ADDED = """
from django.http import HttpResponse
urlpatterns.insert(0, path("added/", lambda request: HttpResponse("{text}")))
"""


class Development(Process):
    """`make dev` in a copy of the sources, which the test may change."""

    def __init__(self, folder: Path) -> None:
        self.sources = folder / "copy"
        for name in SOURCES:
            ignored = shutil.ignore_patterns("__pycache__", "node_modules")
            shutil.copytree(REPOSITORY / name, self.sources / name, ignore=ignored)
        shutil.copy(REPOSITORY / "manage.py", self.sources)
        self.urls = self.sources / "hunarmitra" / "urls.py"
        self.original = self.urls.read_text()
        self.port = free_port()
        packages = (self.sources, self.sources / "services" / "http", self.sources / "services" / "ws")
        super().__init__(
            [sys.executable, "manage.py", "serve", "--port", str(self.port), "--reload"],
            log_path=folder / "dev.log",
            cwd=self.sources,
            environment={"DEBUG": "1", "PYTHONPATH": ":".join(map(str, packages)), "PYTHONUNBUFFERED": "1"},
            ready=lambda: accepts_connections(self.port),
        )

    def get(self, path: str) -> str | None:
        """The body of a page; None while the server is away."""
        try:
            return web.get(f"http://127.0.0.1:{self.port}{path}", timeout=30).text
        except httpx.TransportError:
            return None

    def change(self, text: str) -> None:
        self.urls.write_text(self.original + ADDED.format(text=text))

    def booking(self) -> str:
        [line] = [line for line in self.log_text().splitlines() if line.startswith("  booking ")]
        return line.split()[1]


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[Development]:
    with Development(tmp_path) as running:
        yield running


@pytest.mark.slow
def test_a_saved_file_is_served_and_a_syntax_error_ends_nothing(dev: Development) -> None:
    assert dev.get("/added/") != "one"
    dev.change("one")
    eventually(lambda: dev.get("/added/") == "one", 90, "the change is served")
    assert "restarting: hunarmitra/urls.py changed" in dev.log_text()

    dev.urls.write_text("urlpatterns = [\n")
    eventually(lambda: "SyntaxError: '[' was never closed" in dev.log_text(), 90, "the error is shown")
    assert dev.get("/added/") == "one", "the server goes on as it was"

    dev.change("two")
    eventually(lambda: dev.get("/added/") == "two", 90, "the repaired file is served")

    dev.urls.write_text("raise RuntimeError('not a syntax error')\n")
    eventually(lambda: dev.get("/added/") != "two", 90, "the file is used")
    dev.change("three")
    eventually(lambda: dev.get("/added/") == "three", 90, "the next change is served")

    booking = dev.booking()
    assert dev.terminate() == 0
    with Process(
        dev.command, log_path=dev.log_path.with_name("again.log"), cwd=dev.cwd, environment=dev.environment
    ) as again:
        eventually(lambda: booking in again.log_text(), 90, "the data is still there")

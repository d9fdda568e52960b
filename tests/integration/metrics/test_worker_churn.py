"""gunicorn's workers come and go; their metrics stay, in no more files, and never fall."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
from pathlib import Path

import pytest

from tests.support import held_wsgi, services, web
from tests.support.eventually import eventually
from tests.support.metrics import Scrape
from tests.support.ports import free_port
from tests.support.services import HOST, ServiceProcess
from tests.support.stack import base_environment, fresh_sqlite

ROUTE = "/api/v1/users/me/"
WORKERS = 2
KINDS_OF_FILES = 3
"""Counters, histograms, and gauges of living workers."""


def booted(server: ServiceProcess) -> list[int]:
    return [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.log_text())]


def folder_of(server: ServiceProcess) -> Path:
    """Where its workers keep their metrics, as the kernel shows their mapped files."""

    def found() -> str | None:
        for pid in reversed(booted(server)):
            with contextlib.suppress(OSError):
                if match := re.search(r"(/\S+/hunarmitra-metrics-\w+)/", Path(f"/proc/{pid}/maps").read_text()):
                    return match[1]
        return None

    return Path(eventually(found, message="a worker with metrics") or "")


def kill(pids: list[int]) -> None:
    """Kill workers, and wait until none of them can accept a connection any more."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(map(runs, pids)), message="the killed workers have ended")


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] not in "ZX"
    except OSError:
        return False


@pytest.mark.slow
def test_counters_outlive_workers_and_files_do_not_gather(tmp_path: Path) -> None:
    inner = free_port()
    environment = base_environment(
        DATABASE_URL=fresh_sqlite(tmp_path), HTTP_ADMIN_PORT=str(inner), WEB_CONCURRENCY=str(WORKERS)
    ) | {held_wsgi.FILE: str(tmp_path / "never")}
    options = ("--bind", f"{HOST}:{inner}", "--max-requests", "5")
    with services.gunicorn(tmp_path, environment, *options, application=held_wsgi.APPLICATION) as server:

        def scrape() -> Scrape:
            return Scrape(f"http://{HOST}:{inner}/metrics")

        def unauthenticated() -> float:
            return scrape()("hunarmitra_http_requests_total", method="GET", route=ROUTE, status="4xx")

        folder, answered, counted = folder_of(server), 0, 0.0
        for turn in range(5):
            for _ in range(4):
                answered += web.get(server.url + ROUTE).status_code == 401
            if turn % 3 == 2:
                kill(booted(server)[-1:])
            now = unauthenticated()
            assert counted <= now == answered
            counted = now
            # For a moment there may be one worker more: it took its slot before the one that it replaces was gone.
            assert len(list(folder.glob("*.db"))) <= KINDS_OF_FILES * (WORKERS + 1)
        eventually(lambda: len(booted(server)) > 2 * WORKERS, message="workers have come and gone")

        with socket.create_connection((HOST, server.port)) as slow:
            slow.sendall(b"GET /held HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            eventually(lambda: scrape()("hunarmitra_http_requests_in_progress") == 1, message="it is being answered")
            kill(booted(server))
            eventually(lambda: scrape()("hunarmitra_http_requests_in_progress") == 0, message="what died is over")
        assert unauthenticated() == answered
    assert not folder.exists(), "nothing is left behind"

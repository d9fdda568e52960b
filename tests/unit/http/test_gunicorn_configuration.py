"""The configuration file of the http pods."""

from __future__ import annotations

import runpy
from typing import Any

import pytest

from tests.support.surroundings import REPOSITORY


def configuration() -> dict[str, Any]:
    return runpy.run_path(str(REPOSITORY / "services" / "http" / "gunicorn.conf.py"))


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_KEY", "x" * 50)


def test_its_promises() -> None:
    values = configuration()
    assert values["keepalive"] > 60, "longer than an ingress keeps an idle connection"
    assert values["graceful_timeout"] < 30, "shorter than Kubernetes waits"
    assert values["preload_app"] is False
    assert values["forwarded_allow_ips"] == ""


def test_processes_and_threads_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_CONCURRENCY", "5")
    monkeypatch.setenv("WEB_THREADS", "3")
    values = configuration()
    assert (values["workers"], values["threads"]) == (5, 3)


def test_a_wrong_value_stops_the_start_and_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WEB_THREADS", "many")
    with pytest.raises(SystemExit, match="WEB_THREADS must be a whole number"):
        configuration()

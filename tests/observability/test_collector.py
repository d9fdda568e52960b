"""The collector's configuration: by its own program where that is installed, and by what can be seen without."""

from __future__ import annotations

import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from hunarmitra.common.redaction import redact
from tests.support.surroundings import REPOSITORY

FILE = REPOSITORY / "observability" / "otel-collector.yaml"
KINDS = ("receivers", "processors", "exporters")


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    parsed: dict[str, Any] = yaml.safe_load(FILE.read_text())
    return parsed


def test_its_own_program_takes_it() -> None:
    program = shutil.which("otelcol-contrib") or shutil.which("otelcol")
    if program is None:
        pytest.skip("no OpenTelemetry collector is on the PATH")
    checked = subprocess.run(
        [program, "validate", "--config", str(FILE)], capture_output=True, text=True, check=False, timeout=60
    )
    assert checked.returncode == 0, checked.stderr


def test_every_pipeline_is_made_of_what_is_declared(configuration: dict[str, Any]) -> None:
    pipelines = configuration["service"]["pipelines"]
    assert pipelines.keys() == {"traces"}
    for pipeline in pipelines.values():
        for kind in KINDS:
            assert set(pipeline[kind]) <= configuration[kind].keys()
    assert set(configuration["service"]["extensions"]) == configuration["extensions"].keys()
    used = {name for pipeline in pipelines.values() for kind in KINDS for name in pipeline[kind]}
    declared = {name for kind in KINDS for name in configuration[kind]}
    assert declared - used == {"debug"}, "there to be named"


def test_memory_is_limited_first_and_batches_are_made_last(configuration: dict[str, Any]) -> None:
    processors = configuration["service"]["pipelines"]["traces"]["processors"]
    assert processors[0] == "memory_limiter"
    assert processors[-1] == "batch"
    assert configuration["receivers"]["otlp"]["protocols"].keys() == {"http", "grpc"}


@pytest.mark.parametrize(
    "secret",
    [
        "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VyIjoxfQ.c2lnbmF0dXJl",
        "hmt_8f3b-KXq_0123456789abcdef",
        "9876543210",
        "call +91 98765 43210",
        "tel:+919876543210",
    ],
)
def test_what_logs_redact_the_collector_redacts(configuration: dict[str, Any], secret: str) -> None:
    patterns = configuration["processors"]["redaction"]["blocked_values"]
    assert redact(secret) != secret
    assert any(re.search(pattern, secret) for pattern in patterns)


@pytest.mark.parametrize(
    "value",
    [
        "PATCH",
        "/api/v1/bookings/<id:booking_id>/status/",
        "6f1c2f6e-8f6b-4f0e-9a53-916543210987",
        "hunarmitra-http",
        "28.9876543210",
    ],
)
def test_what_our_spans_say_is_left_as_it_is(configuration: dict[str, Any], value: str) -> None:
    assert not any(re.search(pattern, value) for pattern in configuration["processors"]["redaction"]["blocked_values"])


@pytest.mark.parametrize(
    ("name", "stays"),
    [
        ("http.request.method", True),
        ("http.response.status_code", True),
        ("http.route", True),
        ("url.scheme", True),
        ("hunarmitra.booking_id", True),
        ("enduser.id", False),
        ("user.name", False),
        ("client.address", False),
        ("url.query", False),
        ("http.request.header.authorization", False),
        ("user_agent.original", False),
    ],
)
def test_who_and_from_where_is_removed(configuration: dict[str, Any], name: str, stays: bool) -> None:
    actions = configuration["processors"]["attributes/people"]["actions"]
    assert {action["action"] for action in actions} == {"delete"}
    assert any(re.search(action["pattern"], name) for action in actions) is not stays

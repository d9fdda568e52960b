"""The form of a log line, and the secrets that no log line contains."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from hunarmitra.common import redaction
from hunarmitra.config.reading import read_environment
from hunarmitra.telemetry import request_id
from hunarmitra.telemetry.logs import JsonFormatter, TextFormatter, logging_configuration, service_name

SECRET = "a-long-random-secret-of-this-test-0123456789"
PHONE = "98765 43210"
Log = Callable[[logging.Formatter], tuple[logging.Logger, io.StringIO]]


@pytest.fixture
def log() -> Iterator[Log]:
    redaction.install()
    logger = logging.getLogger("a.library.of.this.test")
    logger.setLevel(logging.DEBUG)

    def formatted(formatter: logging.Formatter) -> tuple[logging.Logger, io.StringIO]:
        stream = io.StringIO()
        handler = logging.StreamHandler(stream)
        handler.setFormatter(formatter)
        logger.addHandler(handler)
        return logger, stream

    yield formatted
    logger.handlers.clear()


def lines(stream: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_one_object_with_the_names_that_are_documented(log: Log) -> None:
    logger, stream = log(JsonFormatter("hunarmitra-test"))
    logger.warning("two\nlines of %s", "text", extra={"fields": {"status": 200}})
    (line,) = lines(stream)
    assert list(line) == ["timestamp", "level", "logger", "message", "service", "status"]
    assert line["level"] == "WARNING"
    assert line["logger"] == "a.library.of.this.test"
    assert line["message"] == "two\nlines of text"
    assert line["service"] == "hunarmitra-test"
    assert line["timestamp"].endswith("Z")
    assert stream.getvalue().count("\n") == 1, "a newline in a message forges no second line"


def test_the_requests_id_is_in_its_lines_only(log: Log) -> None:
    logger, stream = log(JsonFormatter("hunarmitra-test"))
    token = request_id.current.set("abc-1")
    logger.info("inside")
    request_id.current.reset(token)
    logger.info("outside")
    inside, outside = lines(stream)
    assert inside["request_id"] == "abc-1"
    assert "request_id" not in outside


@pytest.mark.parametrize("formatter", [JsonFormatter("hunarmitra-test"), TextFormatter()])
def test_secrets_and_phone_numbers_are_in_no_part_of_a_line(log: Log, formatter: logging.Formatter) -> None:
    logger, stream = log(formatter)
    logger.info("call %s", PHONE, extra={"fields": {"user_agent": f"phone {PHONE}"}})
    logger.info("call %d", 9876543210)
    logger.info("call %(number)s", {"number": PHONE})
    logger.info("a token=%s that only both parts tell", "opaque-0123456789")
    logger.info("with a stack %s", PHONE, stack_info=True)
    try:
        raise RuntimeError(f"cannot call +91{PHONE}")
    except RuntimeError:
        logger.exception("failed")
    text = stream.getvalue()
    assert PHONE not in text
    assert "9876543210" not in text
    assert "opaque" not in text
    assert "RuntimeError: cannot call [redacted]" in text
    assert text.count("[redacted]") >= 6


@pytest.mark.parametrize(
    "offered",
    [
        "",
        "a b",
        "x" * 65,
        "id\nforged",
        "-starts-oddly",
        "ids;drop",
        "9876543210",
        "eyJhbGciOiJIUzI1NiJ9.e30.sig",
        "ид",
    ],
)
def test_an_id_that_could_do_harm_is_replaced(offered: str) -> None:
    made = request_id.accept(offered)
    assert made != offered
    assert len(made) == 32
    assert made != request_id.accept(offered)


@pytest.mark.parametrize("offered", ["1", "req-1.a_B", "4bf92f3577b34da6a3ce929d0e0e4736", "x" * 64])
def test_a_well_formed_id_is_kept(offered: str) -> None:
    assert request_id.accept(offered) == offered


def test_a_service_is_called_by_what_it_does(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = read_environment({"SECRET_KEY": SECRET})
    named = read_environment({"SECRET_KEY": SECRET, "OTEL_SERVICE_NAME": "bookings"})
    monkeypatch.setattr(sys, "argv", ["/usr/bin/gunicorn"])
    assert service_name(plain, ("http",)) == "hunarmitra-http"
    assert service_name(plain, ("http", "ws")) == "hunarmitra"
    assert service_name(named, ("http",)) == "bookings"
    monkeypatch.setattr(sys, "argv", ["manage.py", "relay"])
    assert service_name(plain, ("http",)) == "hunarmitra-relay"


def test_as_text_servers_keep_their_own_handlers() -> None:
    text = logging_configuration(read_environment({"SECRET_KEY": SECRET}), "hunarmitra")
    assert "root" not in text
    assert "daphne" not in text["loggers"]
    as_json = logging_configuration(read_environment({"SECRET_KEY": SECRET, "LOG_FORMAT": "json"}), "hunarmitra")
    assert {"daphne", "uvicorn.access"} <= set(as_json["loggers"])

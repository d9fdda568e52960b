"""No token, ticket, password or phone number reaches a log line."""

from __future__ import annotations

import io
import logging
import re
from collections.abc import Iterator

import pytest

from hunarmitra.common import redaction
from hunarmitra.common.redaction import redact

TOKEN = "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJ1c2VyX2lkIjoiMSJ9.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
TICKET = "hmt_8f3b-KXq_0123456789abcdefghijklmnopqrstuv"
OPAQUE = "not.a-jwt_at~all"


@pytest.mark.parametrize(
    "line",
    [
        f"GET /ws/bookings/1/?token={TOKEN} HTTP/1.1",
        f"/ws/notifications/?since=4&ticket={TICKET}&x=1",
        f"/ws/notifications/?token={OPAQUE}&since=4",
        f"/ws/notifications/?TOKEN%3D{OPAQUE}",
        f"/ws/notifications/?%74oken={OPAQUE}&since=4",
        f"/ws/notifications/?since=4&tok%65n={OPAQUE}",
        f"/ws/notifications/?x=%65{TOKEN[1:]}",
        f"/ws/notifications/?%74%69%63%6B%65%74=%68{TICKET[1:]}",
        f"Authorization: Bearer {TOKEN}",
        f"Sec-WebSocket-Protocol: jwt, {TOKEN}",
        f"Sec-WebSocket-Protocol: jwt, {OPAQUE}",
        f"Sec-WebSocket-Protocol: jwt,{OPAQUE}",
        f"subprotocols=['jwt', '{TOKEN}']",
        f"subprotocols=['jwt', '{OPAQUE}']",
        f"[b'jwt', b'{OPAQUE}']",
        f'{{"type":"authenticate","token":"{OPAQUE}"}}',
        f"{{'access': '{OPAQUE}', 'refresh': '{OPAQUE}'}}",
        f'{{"username": "asha", "password": "{OPAQUE}"}}',
        f"ticket={TICKET}",
        TICKET,
        TOKEN,
    ],
)
def test_credentials_are_replaced(line: str) -> None:
    redacted = redact(line)
    assert "[redacted]" in redacted
    for secret in (TOKEN, TICKET, OPAQUE, TOKEN.rsplit(".", 1)[1]):
        assert secret not in redacted


@pytest.mark.parametrize(
    "number",
    [
        "9876543210",
        "+919876543210",
        "+91 98765 43210",
        "+91-98765-43210",
        "91 9876543210",
        "09876543210",
        "00919876543210",
        "(+91) 9876543210",
        "%2B919876543210",
        "987-654-3210",
        "6000000000",
    ],
)
@pytest.mark.parametrize("line", ["call {} now", "phone={}&x=1", '{{"phone": "{}"}}', "{}", "tel:{},"])
def test_indian_phone_numbers_are_replaced(line: str, number: str) -> None:
    redacted = redact(line.format(number))
    assert "[redacted]" in redacted
    assert not re.search("[0-9]{4}", redacted)


@pytest.mark.parametrize(
    "line",
    [
        "GET /api/v1/bookings/6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52/ 200",
        "the token was refused",
        "12 tickets issued, password hasher is md5",
        "since=4&x=1",
        "booking 6f1c2f6e-8f6b-4f0e-9a53-916543210987",
        "lat 28.9876543210, moment 1763870000123456",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "9876543210987 events, seq 1234567890",
    ],
)
def test_everything_else_stays(line: str) -> None:
    assert redact(line) == line


@pytest.fixture
def log() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    redaction.install()
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logger = logging.getLogger("somebody.elses.library")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield logger, stream
    logger.removeHandler(handler)


class Connection:
    def __str__(self) -> str:
        return f"<connection ?token={TOKEN}>"


def test_whoever_logs_and_however(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.info("path %s", f"/ws/?token={TOKEN}")
    logger.info(f"path /ws/?token={TOKEN}")  # noqa: G004 - other people's libraries do
    logger.info("%(path)s", {"path": f"/ws/?token={TOKEN}"})
    logger.debug("%s %r", Connection(), {"token": OPAQUE})
    logger.warning(Connection())
    logger.debug("%d of %.1f at %s", 3, 0.5, None)
    text = stream.getvalue()
    assert TOKEN not in text
    assert OPAQUE not in text
    assert text.count("[redacted]") >= 5
    assert "3 of 0.5 at None" in text


def test_tracebacks_too(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    try:
        raise RuntimeError(f"cannot serve /ws/?ticket={TICKET}")
    except RuntimeError:
        logger.exception("failed for %s", TOKEN)
    text = stream.getvalue()
    assert "RuntimeError: cannot serve /ws/?ticket=[redacted]" in text
    assert TICKET not in text
    assert TOKEN not in text


def test_an_argument_without_a_secret_keeps_its_type(log: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = log
    logger.info("%s %s", [1, 2], b"bytes")
    assert stream.getvalue() == "[1, 2] b'bytes'\n"


def test_installing_twice_wraps_once() -> None:
    redaction.install()
    factory = logging.getLogRecordFactory()
    redaction.install()
    assert logging.getLogRecordFactory() is factory

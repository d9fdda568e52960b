"""Keep tokens, tickets and phone numbers out of every log line, from any library.

The documented way to authenticate a connection puts the token into the URL, and servers log URLs: uvicorn logs the
full WebSocket path to ``uvicorn.error``, which no access-log option turns off; at DEBUG ``websockets`` logs headers and
frames. A filter on chosen loggers would miss the next library. So the log record factory is wrapped: each record, with
its arguments and its traceback, passes through :func:`redact` before a handler sees it.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote

_SECRETS = (
    re.compile(r"eyJ[A-Za-z0-9_-]{4,}(?:\.[A-Za-z0-9_-]+)*"),
    re.compile(r"hmt_[A-Za-z0-9_-]+"),
)
_OFFERED = re.compile(r"""(\bjwt["']?\s*,\s*(?:b?["'])?)[^\s'",\[\]]+""")
"""The subprotocol after `jwt`, as a header or as a list."""

_NAMED = re.compile(
    r"""((?:token|ticket|access|refresh|password)["']?\s*(?:=|%3[Dd]|:\s*["']?)\s*)[^\s&"',;<>\[\])}]+""", re.IGNORECASE
)
_ENCODED_PAIR = re.compile(r"""(?<=[?&])([^\s=&"']+=)([^\s&"']+)""")
"""A pair of a query. Where it is percent-encoded, the patterns above do not see what the server reads."""

_PHONE = re.compile(
    r"""(?<![0-9A-Za-z])(?<![0-9][.-])
        (?:(?:%2[Bb]|\+|00)?\(?\+?91\)?[ .-]?\(?0?|\(?0)?
        [6-9](?:[0-9]{4}[ .-]?[0-9]{5}|[0-9]{2}[ .-][0-9]{3}[ .-][0-9]{4}|[0-9]{3}[ .-][0-9]{3}[ .-][0-9]{3})
        (?![0-9A-Za-z])(?!-[0-9A-Fa-f]{4})
        |%2[Bb]91[6-9][0-9]{9}(?![0-9])""",
    re.VERBOSE,
)
"""An Indian mobile number: ten digits from 6 to 9, with or without +91, 91 or 0 before them, in the usual groups. Not
a part of a longer number, of a fraction or of a UUID."""

_PHONES_AS_NUMBERS = ((6_000_000_000, 9_999_999_999), (916_000_000_000, 919_999_999_999))
_PLAIN = (int, float, bool, type(None))
_installed = False


def _redact_pair(pair: re.Match[str]) -> str:
    decoded = unquote(pair[0])
    if decoded == pair[0] or (not _NAMED.search(decoded) and not any(each.search(decoded) for each in _SECRETS)):
        return pair[0]
    return f"{pair[1]}[redacted]"


def redact(text: str) -> str:
    """Replace every JWT, ticket, named credential and phone number by ``[redacted]``."""
    if "%" in text:
        text = _ENCODED_PAIR.sub(_redact_pair, text)
    text = _OFFERED.sub(r"\1[redacted]", _NAMED.sub(r"\1[redacted]", text))
    for pattern in _SECRETS:
        text = pattern.sub("[redacted]", text)
    return _PHONE.sub("[redacted]", text)


def _is_phone_number(value: Any) -> bool:
    return type(value) is int and any(first <= value <= last for first, last in _PHONES_AS_NUMBERS)


def _redact_argument(value: Any) -> Any:
    if isinstance(value, _PLAIN):
        return value
    text = value if isinstance(value, str) else str(value)
    redacted = redact(text)
    return value if redacted == text else redacted


def _redact_record(record: logging.LogRecord) -> logging.LogRecord:
    if isinstance(record.msg, str):
        record.msg = redact(record.msg) if not record.args else record.msg
    else:
        record.msg = _redact_argument(record.msg)
    if isinstance(record.args, tuple) and any(map(_is_phone_number, record.args)):
        # `%d` does not accept a text in its place.
        record.msg, record.args = redact(record.getMessage()), ()
    elif isinstance(record.args, tuple):
        record.args = tuple(_redact_argument(value) for value in record.args)
    elif isinstance(record.args, dict):
        record.args = {name: _redact_argument(value) for name, value in record.args.items()}
    if record.exc_info and record.exc_info[0] is not None:
        record.exc_text = redact(logging.Formatter().formatException(record.exc_info))
    if record.stack_info:
        record.stack_info = redact(record.stack_info)
    return record


def install() -> None:
    """Wrap the log record factory, and daphne's access log, which does not use it. Only the first call does."""
    global _installed  # noqa: PLW0603 - the factory is global to the process too
    if _installed:
        return
    _installed = True
    make_record: Callable[..., logging.LogRecord] = logging.getLogRecordFactory()
    logging.setLogRecordFactory(lambda *args, **kwargs: _redact_record(make_record(*args, **kwargs)))
    _wrap_daphne_access_log()


def _wrap_daphne_access_log() -> None:
    """Redact daphne's access log, which it writes to a stream with complete URLs.

    Where daphne runs this process, its module is loaded before ours; nothing here imports it.
    """
    access = sys.modules.get("daphne.access")
    if access is None:
        return
    write_entry = access.AccessLogGenerator.write_entry

    def write_redacted(log: Any, host: Any, date: Any, request: str, *rest: Any, **named: Any) -> None:
        write_entry(log, host, date, redact(request), *rest, **named)

    access.AccessLogGenerator.write_entry = write_redacted

"""How log lines look: one line of text for people, or one JSON object for what collects them.

Every handler that we configure redacts the finished line once more: a credential may be made of a message and its
argument, neither of which is one alone.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hunarmitra.common.probes import is_probe
from hunarmitra.common.redaction import redact
from hunarmitra.config.environment import Environment
from hunarmitra.telemetry import request_id, tracing

TEXT_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
OURS: Final = ("django", "hunarmitra", "hunarmitra_http", "hunarmitra_ws")
OF_SERVERS: Final = ("daphne", "uvicorn", "uvicorn.access")
"""Loggers of ASGI servers, which give them handlers of their own; gunicorn's are in its configuration file."""
DAPHNE_ACCESS: Final = "daphne.access"


def service_name(environment: Environment, services: Sequence[str] = ()) -> str:
    """``OTEL_SERVICE_NAME``, else ``hunarmitra-`` and the command or the service that this process is."""
    if environment.otel_service_name:
        return environment.otel_service_name
    if Path(sys.argv[0]).name == "manage.py" and len(sys.argv) > 1 and sys.argv[1].isalpha():
        return f"hunarmitra-{sys.argv[1]}"
    return f"hunarmitra-{services[0]}" if len(services) == 1 else "hunarmitra"


_NOISY: Final = ("daphne.cli", "daphne.server")
_OF_NO_USE: Final = ("HTTP/2 support", "Starting server at", "Configuring endpoint")


def _says_something(record: logging.LogRecord) -> bool:
    """Filter what daphne says at each start without a meaning for its user; "Listening on" is kept.

    HTTP/2 ends at the proxy in front: WebSocket clients and daphne speak HTTP/1.1.
    """
    return not record.getMessage().startswith(_OF_NO_USE)


def _is_no_probe(record: logging.LogRecord) -> bool:
    """Filter Django's line about a process that is not ready: the probe's answer says what is missing."""
    path = getattr(getattr(record, "request", None), "path_info", "")
    return not is_probe(path, getattr(record, "status_code", 0))


class TextFormatter(logging.Formatter):
    def __init__(self) -> None:
        super().__init__(TEXT_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        return redact(super().format(record))


class JsonFormatter(logging.Formatter):
    """``timestamp`` (RFC 3339, UTC), ``level``, ``logger``, ``message``, ``service``; where there are such,
    ``request_id``, ``trace_id``, ``span_id``, ``exception``, and what the record has as ``fields``."""

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line: dict[str, Any] = {
            "timestamp": moment,
            "level": record.levelname,
            "logger": record.name,
            "message": redact(record.getMessage()),
            "service": self._service,
        }
        line |= _names(record)
        if record.exc_info and not record.exc_text:
            record.exc_text = redact(self.formatException(record.exc_info))
        if record.exc_text:
            line["exception"] = record.exc_text
        if record.stack_info:
            line["stack"] = redact(record.stack_info)
        for name, value in (getattr(record, "fields", None) or {}).items():
            line[name] = redact(value) if isinstance(value, str) else value
        return json.dumps(line, default=str, ensure_ascii=False, separators=(",", ":"))


def _names(record: logging.LogRecord) -> dict[str, str]:
    """Of the request and the span that the line belongs to. Django logs a request when its middleware is through."""
    environ = getattr(getattr(record, "request", None), "META", {})
    names = {
        "request_id": request_id.current.get() or environ.get(request_id.ENVIRON_REQUEST_ID),
        "trace_id": environ.get(request_id.ENVIRON_TRACE_ID),
    }
    if span := tracing.current_ids():
        names["trace_id"], names["span_id"] = span
    return {name: value for name, value in names.items() if value}


def _formatter(environment: Environment, service: str) -> Mapping[str, Any]:
    """An entry of ``formatters`` in a configuration for :func:`logging.config.dictConfig`."""
    if environment.log_format == "json":
        return {"()": JsonFormatter, "service": service}
    return {"()": TextFormatter}


def logging_configuration(environment: Environment, service: str) -> dict[str, Any]:
    """Django's ``LOGGING``. As text, servers keep their own handlers and their own look."""
    ours = {"handlers": ["stderr"], "level": environment.log_level, "propagate": False}
    configuration: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _formatter(environment, service)},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "filters": {"start": {"()": lambda: _says_something}, "probes": {"()": lambda: _is_no_probe}},
        "loggers": {
            **dict.fromkeys(OURS, ours),
            **{name: {"filters": ["start"]} for name in _NOISY},
            "django.request": {"filters": ["probes"]},
        },
    }
    if environment.log_format == "json":
        theirs = {"handlers": ["stderr"], "level": "INFO", "propagate": False}
        configuration["loggers"] |= dict.fromkeys(OF_SERVERS, theirs)
        # uvicorn.error goes through uvicorn; whatever else speaks, through the root.
        configuration["root"] = {"handlers": ["stderr"], "level": "WARNING"}
    return configuration


def gunicorn_configuration(environment: Environment, service: str) -> dict[str, Any] | None:
    """gunicorn's ``logconfig_dict``; None leaves it its own look."""
    if environment.log_format == "text":
        return None
    logger = {"handlers": ["stderr"], "level": environment.log_level, "propagate": False}
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": _formatter(environment, service)},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
        "root": {"handlers": ["stderr"], "level": "WARNING"},
        "loggers": {
            "gunicorn.error": {**logger, "qualname": "gunicorn.error"},
            "gunicorn.access": {**logger, "level": "INFO", "qualname": "gunicorn.access"},
        },
    }


def set_up_daphne_access_log(environment: Environment) -> None:
    """Leave probes out of daphne's access log, and make its lines JSON where the log is.

    daphne writes them to a stream of its own, past logging. Where daphne runs this process, its module is loaded
    before the settings are; nothing here imports it.
    """
    access = sys.modules.get("daphne.access")
    if access is None:
        return
    logger = logging.getLogger(DAPHNE_ACCESS)
    as_json = environment.log_format == "json"
    write_text = access.AccessLogGenerator.write_entry

    def write_entry(log: Any, *, host: Any, request: str, status: Any = None, length: Any = None, **more: Any) -> None:
        method, _, path = request.partition(" ")
        path = path.partition("?")[0]
        if is_probe(path, status or 0):
            return
        if not as_json:
            write_text(log, host=host, request=request, status=status, length=length, **more)
            return
        fields = {"client": host, "method": method, "path": path, "status": status, "bytes": length}
        known = {name: value for name, value in fields.items() if value is not None}
        logger.info("%s %s %s", method, path, status or "-", extra={"fields": known})

    access.AccessLogGenerator.write_entry = write_entry

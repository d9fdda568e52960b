"""Format of log lines: text for people, or one JSON object a line with the fields of the other services."""

from __future__ import annotations

import json
import logging
import os
from datetime import UTC, datetime
from typing import Any

SERVICE = "hunarmitra-operator"
TEXT_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class JsonFormatter(logging.Formatter):
    """Formats `timestamp` (RFC 3339, UTC), `level`, `logger`, `message`, `service`, and `exception` and `stack` if
    present.
    """

    def __init__(self, service: str) -> None:
        super().__init__()
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        moment = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        line: dict[str, Any] = {
            "timestamp": moment.replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "service": self._service,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        if record.stack_info:
            line["stack"] = self.formatStack(record.stack_info)
        return json.dumps(line, ensure_ascii=False, separators=(",", ":"))


def configure(level: str, style: str) -> None:
    """Log to stderr, including kopf's lines and, as JSON, Python's warnings. `style` is `text` or `json`."""
    handler = logging.StreamHandler()
    if style == "json":
        handler.setFormatter(JsonFormatter(os.environ.get("OTEL_SERVICE_NAME") or SERVICE))
        logging.captureWarnings(True)
    else:
        handler.setFormatter(logging.Formatter(TEXT_FORMAT))
    logging.basicConfig(level=level, handlers=[handler])
    logging.getLogger("kopf").setLevel(max(logging.getLevelName(level), logging.WARNING))

"""gunicorn's access log: without secrets, and with the request and trace ids for JSON."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from gunicorn.glogging import Logger

from hunarmitra.common.probes import is_probe
from hunarmitra.telemetry.request_id import ENVIRON_REQUEST_ID, ENVIRON_TRACE_ID


class AccessLogger(Logger):
    """Log the path without its query string, and no Referer: both may hold a token. Probes are not logged."""

    def access(self, resp: Any, req: Any, environ: Any, request_time: timedelta) -> None:
        if not self.access_log_enabled:
            return
        status = str(resp.status).split(None, 1)[0]
        code = int(status) if status.isdigit() else 0
        if is_probe(environ.get("PATH_INFO", ""), code):
            return
        fields = {
            "client": environ.get("REMOTE_ADDR", "-"),
            "method": environ.get("REQUEST_METHOD", "-"),
            "path": environ.get("PATH_INFO", "-"),
            "status": code,
            "bytes": getattr(resp, "sent", None) or 0,
            "duration_ms": request_time // timedelta(milliseconds=1),
            "user_agent": environ.get("HTTP_USER_AGENT", "-"),
        }
        names = {"request_id": environ.get(ENVIRON_REQUEST_ID), "trace_id": environ.get(ENVIRON_TRACE_ID)}
        self.access_log.info(
            '%s "%s %s %s" %s %s %sms "%s"',
            fields["client"],
            fields["method"],
            fields["path"],
            environ.get("SERVER_PROTOCOL", "-"),
            status,
            fields["bytes"],
            fields["duration_ms"],
            fields["user_agent"],
            extra={"fields": fields | {name: value for name, value in names.items() if value}},
        )

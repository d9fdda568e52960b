"""The http service with two more paths: ``/held`` answers when a file exists, ``/large`` with that many bytes."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from hunarmitra.telemetry.labels import UNMATCHED
from hunarmitra.telemetry.requests import request_in_front
from hunarmitra.wsgi import application as _application

APPLICATION = "tests.support.held_wsgi:application"
FILE = "HELD_UNTIL_FILE"
"""The variable that names the file."""


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    match environ["PATH_INFO"]:
        case "/held":
            with request_in_front("GET", UNMATCHED):
                while not Path(os.environ[FILE]).exists():
                    time.sleep(0.01)
            body = b"held\n"
        case "/large":
            body = b"x" * int(environ["QUERY_STRING"])
        case "/echo":
            body = environ["wsgi.input"].read()
        case _:
            response: Iterable[bytes] = _application(environ, start_response)
            return response
    start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]

"""`manage.py serve`: everything in one process on this machine, what `make run` starts."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from importlib.util import find_spec
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from hunarmitra.demo.data import demo_data
from hunarmitra.demo.guard import is_free, require_demo_mode, require_free_port, require_loopback
from hunarmitra.demo.summary import summary

ADMIN_OFFSET = 1000
LOCAL_NAMES = "localhost,127.0.0.1,[::1]"
CONNECTIONS = 500
UNAUTHENTICATED = 256
"""Most connections: what every machine allows a process to open, which the default of production is not."""
RELOADER = "tools.reload"


def port_number(text: str) -> int:
    if not 0 < int(text) < 65536:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


class Command(BaseCommand):
    help = "Migrate, make demo data, print how to use it, and serve HTTP and WebSocket as in production."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
        parser.add_argument(
            "--port",
            type=port_number,
            default=settings.ENVIRONMENT.port,
            help="default: %(default)s, or PORT",
        )
        parser.add_argument("--reload", action="store_true", help="restart the server when a source file changes")

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        require_demo_mode()
        require_loopback(host)
        require_free_port(host, port)
        if options["reload"] and find_spec(RELOADER.partition(".")[0]) is None:
            raise CommandError("--reload needs the sources of the project: run it in a clone of the repository.")
        call_command("migrate", interactive=False, verbosity=0)
        base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.stdout.write(summary(demo_data(several=True), base_url))
        admin_port = _admin_port(settings.ENVIRONMENT.metrics_host, port)
        if admin_port:
            self.stdout.write(f"Metrics on http://{settings.ENVIRONMENT.metrics_host}:{admin_port}/metrics")
        self.stdout.write(f"Serving on {base_url}; Ctrl-C ends it.")
        self.stdout.flush()
        connections.close_all()
        command = [sys.executable, "-m", "hunarmitra_ws", "--bind", host, "--port", str(port)]
        if options["reload"]:
            command = [sys.executable, "-m", RELOADER, *command]
        # Replace this process, so that signals reach the server and nothing stands between.
        os.execve(sys.executable, command, {**os.environ, **_server_environment(admin_port)})  # noqa: S606 - no shell is the point


def _admin_port(host: str, port: int) -> int:
    """Return the port of probes and metrics, or 0 where another process has it.

    It is beside the served port, so that two runs on one machine do not meet.
    """
    wanted = settings.ENVIRONMENT.metrics_port or port + ADMIN_OFFSET
    return wanted if wanted < 65536 and is_free(host, wanted) else 0


def _server_environment(admin_port: int) -> dict[str, str]:
    """Return what a laptop needs otherwise than production; a variable that is set keeps its value."""
    laptop = {
        "WS_CONTROL_PORT": "0",
        "WS_DRAIN_SETTLE": "0",
        "WS_DRAIN_WINDOW": "0",
        "WS_GRACE": "1",
        "WS_MAX_CONNECTIONS": str(CONNECTIONS),
        "WS_UNAUTHENTICATED_CONNECTIONS": str(UNAUTHENTICATED),
    }
    if not settings.ALLOWED_HOSTS:
        laptop["ALLOWED_HOSTS"] = LOCAL_NAMES
    kept = {name: value for name, value in laptop.items() if name not in os.environ}
    return kept | {
        "METRICS_PORT": "0",  # the admin port has /metrics
        "WS_ADMIN_HOST": settings.ENVIRONMENT.metrics_host,
        "WS_ADMIN_PORT": str(admin_port),
    }

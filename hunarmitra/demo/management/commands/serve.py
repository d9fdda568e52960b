"""`manage.py serve`: everything in one process on this machine, what `make run` starts."""

from __future__ import annotations

import os
import sys
from argparse import ArgumentTypeError
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser
from django.db import connections

from hunarmitra.demo.data import demo_data
from hunarmitra.demo.guard import require_demo_mode, require_free_port, require_loopback
from hunarmitra.demo.summary import summary

METRICS_OFFSET = 1000
LOCAL_NAMES = "localhost,127.0.0.1,[::1]"


def port_number(text: str) -> int:
    if not 0 < int(text) < 65536:
        raise ArgumentTypeError("a port is a number from 1 to 65535")
    return int(text)


class Command(BaseCommand):
    help = "Migrate, make demo data, print how to use it, and serve HTTP and WebSocket under daphne."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="a loopback address (default: %(default)s)")
        parser.add_argument(
            "--port",
            type=port_number,
            default=settings.ENVIRONMENT.port,
            help="default: %(default)s, or PORT",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        host, port = options["host"], options["port"]
        require_demo_mode()
        require_loopback(host)
        require_free_port(host, port)
        call_command("migrate", interactive=False, verbosity=0)
        base_url = f"http://{f'[{host}]' if ':' in host else host}:{port}"
        self.stdout.write(summary(demo_data(), base_url))
        if metrics_port := self._metrics_port(port):
            self.stdout.write(f"Metrics on http://{settings.ENVIRONMENT.metrics_host}:{metrics_port}/metrics")
        self.stdout.write(f"Serving on {base_url}; Ctrl-C ends it.")
        self.stdout.flush()
        connections.close_all()
        self._become_daphne(host, port)

    @staticmethod
    def _metrics_port(port: int) -> int:
        """Beside the port that is served, so that two runs on one machine do not meet; 0 where there is none."""
        return settings.ENVIRONMENT.metrics_port or (port + METRICS_OFFSET if port + METRICS_OFFSET < 65536 else 0)

    def _become_daphne(self, host: str, port: int) -> None:
        """Replace this process, so that signals reach the server and nothing stands between."""
        environment = dict(os.environ)
        if not settings.ALLOWED_HOSTS:
            environment["ALLOWED_HOSTS"] = LOCAL_NAMES
        if self._metrics_port(port):
            environment["METRICS_PORT"] = str(self._metrics_port(port))
        arguments = [
            sys.executable,
            "-m",
            "daphne",
            "-b",
            host,
            "-p",
            str(port),
            "hunarmitra.asgi:application",
        ]
        os.execve(sys.executable, arguments, environment)  # noqa: S606 - no shell is the point

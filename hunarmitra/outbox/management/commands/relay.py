"""`manage.py relay`: publishes events whose process could not, for as long as it runs."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hunarmitra.outbox import relay
from hunarmitra.telemetry import exposition, publisher
from hunarmitra.telemetry import relay as metrics


class Command(BaseCommand):
    help = "Publish what was committed but not published (a crash, Redis away). Several may run at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what is there now, then end")

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT.redis_url is None:
            raise CommandError(
                "REDIS_URL is not set, so no other process can be reached. "
                "Without Redis the ws process relays for itself."
            )
        if options["once"]:
            self.stdout.write(f"{relay.drain()} published")
            return
        environment = settings.ENVIRONMENT
        if environment.metrics_port:
            exposition.expose_process()
            exposition.expose(publisher.REGISTRY, metrics.REGISTRY)
            exposition.serve_metrics(environment.metrics_host, environment.metrics_port, stuck=metrics.stuck)
        stop = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            stop.set()

        signal.signal(signal.SIGTERM, end)
        signal.signal(signal.SIGINT, end)
        relay.run(stop)

"""`manage.py relay`: publish events that the process that wrote them did not publish."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hunarmitra.database.connections import limit_answers
from hunarmitra.outbox import relay
from hunarmitra.telemetry import database, exposition, publisher
from hunarmitra.telemetry import relay as metrics

logger = logging.getLogger(__name__)


class Command(BaseCommand):
    help = (
        "Publish events that were committed but not published (after a crash, or while Redis was away). "
        "Runs until SIGTERM; several relays may run at once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="publish what is there now, then exit")
        parser.add_argument(
            "--retry-quarantined",
            action="store_true",
            help="first give back events that could not be rendered, for a release that can render them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.ENVIRONMENT.redis_url is None:
            raise CommandError(
                "REDIS_URL is not set, so this process cannot reach any other. "
                "Without Redis the ws process runs its own relay."
            )
        if options["retry_quarantined"]:
            self.stdout.write(f"{relay.release_quarantined()} released from quarantine")
        if options["once"]:
            self.stdout.write(f"{relay.relay_all()} published")
            return
        environment = settings.ENVIRONMENT
        if environment.metrics_port:
            exposition.expose_process()
            exposition.expose(publisher.REGISTRY, metrics.REGISTRY, database.REGISTRY)
            exposition.serve_metrics(environment.metrics_host, environment.metrics_port, stuck=metrics.stuck)
        limit_answers(environment.database_answer_timeout)
        stop = threading.Event()

        def end(number: int, frame: FrameType | None) -> None:
            logger.info("%s: stopping after this pass", signal.Signals(number).name)
            stop.set()

        def go_on(number: int, frame: FrameType | None) -> None:
            logger.info("%s: running", signal.Signals(number).name)

        # SIGHUP stops as SIGTERM does: there is nothing to reload, settings are read at the start.
        for ending in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(ending, end)
        for other in (signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(other, go_on)
        relay.run(stop)

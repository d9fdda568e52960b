"""`manage.py drive BOOKING`: plays the worker's phone against a running server, over REST only."""

from __future__ import annotations

import math
import sys
from argparse import ArgumentTypeError
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from hunarmitra.demo.credentials import read_passwords
from hunarmitra.demo.data import WORKER_USERNAME

try:
    from tqdm import tqdm

    from hunarmitra.demo.journey import Journey
    from hunarmitra.demo.phone import Phone, PhoneError
except ModuleNotFoundError as error:
    raise CommandError(f"drive needs {error.name}, which this installation lacks: `make run` installs it.") from None

INTERRUPTED = 130


def seconds(text: str) -> float:
    if not 0 < float(text) < math.inf:
        raise ArgumentTypeError("must be more than 0 seconds")
    return float(text)


def count(text: str) -> int:
    if int(text) < 1:
        raise ArgumentTypeError("must be at least 1")
    return int(text)


class Command(BaseCommand):
    help = "Be the worker's phone: set out, post a position every INTERVAL seconds, arrive, complete."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("booking", metavar="BOOKING", help="the booking's id")
        parser.add_argument(
            "--base-url", default=f"http://127.0.0.1:{settings.ENVIRONMENT.port}", help="default: %(default)s"
        )
        parser.add_argument("--username", help="the assigned worker (default: the demo worker)")
        parser.add_argument("--password")
        parser.add_argument(
            "--interval", type=seconds, default=2.2, help="seconds between positions (default: %(default)s)"
        )
        parser.add_argument("--steps", type=count, default=30, help="how many positions (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            booking_id = UUID(options["booking"])
        except ValueError:
            raise CommandError(f"{options['booking']!r} is not a booking id; `manage.py demo` prints one.") from None
        username, password = self._credentials(options["username"], options["password"])
        try:
            with Phone(options["base_url"], username, password) as phone:
                phone.sign_in()
                journey = Journey(phone, booking_id, interval=options["interval"], steps=options["steps"])
                journey.check()
                self._show(journey, options["steps"])
        except PhoneError as error:
            raise CommandError(str(error)) from None
        except KeyboardInterrupt:
            self.stderr.write("Stopped; the same command goes on from here.")
            sys.exit(INTERRUPTED)

    def _credentials(self, username: str | None, password: str | None) -> tuple[str, str]:
        username = username or WORKER_USERNAME
        password = password or read_passwords().get(username)
        if password is None:
            raise CommandError(
                f"The password of {username!r} is not known here: give --password"
                + (", or run `manage.py demo` first." if username == WORKER_USERNAME else ".")
            )
        return username, password

    def _show(self, journey: Journey, steps: int) -> None:
        """A bar on a terminal; elsewhere (a pipe, a log) a line for each change of status."""
        # `disable=None` is tqdm's "only on a terminal".
        with tqdm(total=steps, unit="position", file=sys.stderr, disable=None, dynamic_ncols=True) as bar:
            for step in journey.run():
                if step.position is None:
                    bar.write(step.text, file=sys.stdout)
                else:
                    bar.set_postfix_str("{:.5f}, {:.5f}".format(*step.position), refresh=False)
                    bar.update()

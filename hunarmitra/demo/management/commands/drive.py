"""`manage.py drive BOOKING`: plays the worker's phone against a running server, with the Python client."""

from __future__ import annotations

import asyncio
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
    import httpx
    from hunarmitra_realtime import RequestError, Session
    from tqdm import tqdm

    from hunarmitra.demo.journey import Journey, JourneyError, Step
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
    help = "Be the worker's phone: set out, send locations on the way, arrive, complete."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("booking", metavar="BOOKING", help="the booking's id")
        parser.add_argument(
            "--base-url", default=f"http://127.0.0.1:{settings.ENVIRONMENT.port}", help="default: %(default)s"
        )
        parser.add_argument("--username", help="the assigned worker (default: the demo worker)")
        parser.add_argument("--password")
        parser.add_argument(
            "--interval", type=seconds, help="seconds between two locations (default: as often as the server asks)"
        )
        parser.add_argument("--steps", type=count, default=30, help="points on the way (default: %(default)s)")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            booking_id = UUID(options["booking"])
        except ValueError:
            raise CommandError(f"{options['booking']!r} is not a booking id; `manage.py demo` prints one.") from None
        try:
            asyncio.run(self._drive(booking_id, options))
        except JourneyError as error:
            raise CommandError(str(error)) from None
        except RequestError as error:
            raise CommandError(f"The server answered {error.status}: {error}") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            url, name = options["base_url"].rstrip("/"), type(error).__name__
            raise CommandError(f"No answer from {url} ({name}): is the server running there?") from None
        except KeyboardInterrupt:
            self.stderr.write("Stopped; the same command goes on from here.")
            sys.exit(INTERRUPTED)

    async def _drive(self, booking_id: UUID, options: dict[str, Any]) -> None:
        base_url, steps = options["base_url"], options["steps"]
        username, password = self._credentials(options["username"], options["password"])
        async with Session(base_url) as session:
            try:
                await session.sign_in(username, password, keep=True)
            except RequestError as error:
                if error.status != 401:
                    raise
                raise JourneyError(f"The server does not know {username!r} with this password.") from None
            journey = Journey(session, base_url, booking_id, steps=steps, interval=options["interval"])
            await journey.check()
            # A bar on a terminal; elsewhere (a pipe, a log) a line for each change of status. `disable=None` is tqdm's
            # "only on a terminal".
            with tqdm(total=steps, unit="point", file=sys.stderr, disable=None, dynamic_ncols=True) as bar:
                await journey.run(lambda step: _show(bar, step))

    def _credentials(self, username: str | None, password: str | None) -> tuple[str, str]:
        username = username or WORKER_USERNAME
        password = password or read_passwords().get(username)
        if password is None:
            raise CommandError(
                f"The password of {username!r} is not known here: give --password"
                + (", or run `manage.py demo` first." if username == WORKER_USERNAME else ".")
            )
        return username, password


def _show(bar: tqdm[Any], step: Step) -> None:
    if step.place is not None:
        bar.set_postfix_str("{:.5f}, {:.5f}".format(*step.place), refresh=False)
        bar.update(step.done - bar.n)
    elif step.waits:
        bar.set_postfix_str(step.text)
    else:
        bar.write(step.text, file=sys.stdout)

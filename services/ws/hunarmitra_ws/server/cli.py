"""``python -m hunarmitra_ws``: daphne's command line with our flags, each of them also an environment variable."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from functools import partial
from typing import Any, Final

import django
from daphne.cli import CommandLineInterface as DaphneCommandLineInterface

ENVIRONMENT_PREFIX: Final = "WS_SERVER_"
APPLICATION: Final = "hunarmitra.asgi:application"


class CommandLineInterface(DaphneCommandLineInterface):
    """Every flag of daphne's may come from ``WS_SERVER_<FLAG>``, e.g. ``WS_SERVER_PING_INTERVAL=25``."""

    description = "The HunarMitra WebSocket server: daphne, with drain, bounded buffers and an admin port."

    def __init__(self) -> None:
        super().__init__()
        from django.conf import settings

        from hunarmitra.config.environment import Environment
        from hunarmitra_ws.server.options import OPTION_NAMES

        environment = settings.ENVIRONMENT
        self.parser.prog = "python -m hunarmitra_ws"
        self.parser.epilog = (
            f"Every flag above may also be given as {ENVIRONMENT_PREFIX}<FLAG>, those of the group below as the "
            "variable they name. docs/configuration.md lists all variables."
        )
        for action in self.parser._actions:  # noqa: SLF001 - argparse has no public way to change an argument
            if action.dest == "application":
                action.nargs, action.default = "?", APPLICATION
        self._take_defaults_from(os.environ)
        self.parser.set_defaults(
            websocket_max_message_size=environment.ws_message_max_bytes,
            websocket_max_frame_size=environment.ws_message_max_bytes,
        )
        group = self.parser.add_argument_group("HunarMitra", "Connections, drain and the internal ports.")
        metadata = {item.name: item.metadata for item in fields(Environment)}
        for name in OPTION_NAMES:
            variable = f"ws_{name}"
            group.add_argument(
                f"--{name.replace('_', '-')}",
                type=_argument(metadata[variable]["parse"]),
                help=f"{metadata[variable]['help']} ({variable.upper()}, now {getattr(environment, variable)})".replace(
                    "%", "%%"
                ),
            )

    def _take_defaults_from(self, environment: Any) -> None:
        for action in self.parser._actions:  # noqa: SLF001
            value = environment.get(ENVIRONMENT_PREFIX + action.dest.upper())
            if value is not None and action.nargs != 0:
                self.parser.set_defaults(**{action.dest: action.type(value) if action.type else value})

    def run(self, args: list[str]) -> None:
        from django.conf import settings

        from hunarmitra_ws.server.options import OPTION_NAMES, ServerOptions, ServerOptionsError
        from hunarmitra_ws.server.server import Server

        parsed = self.parser.parse_args(args)
        given = {name: getattr(parsed, name) for name in OPTION_NAMES}
        options = ServerOptions(
            **{
                name: getattr(settings.ENVIRONMENT, f"ws_{name}") if value is None else value
                for name, value in given.items()
            }
        )
        try:
            options.check()
        except ServerOptionsError as error:
            self.parser.exit(1, f"hunarmitra_ws cannot start: {error}\n")
        self.server_class = partial(Server, options=options)
        super().run(args)


def _argument(parse: Any) -> Any:
    """An environment parser as an argparse type: its message is kept."""

    def convert(value: str) -> Any:
        import argparse

        try:
            return parse(value)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return convert


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()
    CommandLineInterface().run(sys.argv[1:])

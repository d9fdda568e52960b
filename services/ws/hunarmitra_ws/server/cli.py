"""``python -m hunarmitra_ws``: daphne's command line, with our flags and defaults."""

from __future__ import annotations

import os
import sys
from dataclasses import fields
from functools import partial
from typing import Any, Final

import django
from daphne.cli import CommandLineInterface as DaphneCommandLineInterface

APPLICATION: Final = "hunarmitra.asgi:application"


class CommandLineInterface(DaphneCommandLineInterface):
    """daphne's flags, and a flag for each variable ``WS_…`` of the server."""

    description = "The HunarMitra WebSocket server: daphne, with drain, bounded buffers and an admin port."

    def __init__(self) -> None:
        super().__init__()
        from django.conf import settings

        from hunarmitra.config.environment import Environment
        from hunarmitra_ws.server.options import OPTION_NAMES

        environment = settings.ENVIRONMENT
        self.parser.prog = "python -m hunarmitra_ws"
        self.parser.epilog = (
            f"The default application is {APPLICATION}. Each flag of the group HunarMitra can also be set with the "
            "environment variable in its description; docs/configuration.md lists all variables."
        )
        self.parser.set_defaults(
            websocket_max_message_size=environment.ws_message_max_bytes,
            websocket_max_frame_size=environment.ws_message_max_bytes,
            ping_interval=environment.ws_ping_interval,
            ping_timeout=environment.ws_ping_timeout,
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

    def run(self, args: list[str]) -> None:
        from django.conf import settings

        from hunarmitra_ws.server.options import OPTION_NAMES, ServerOptions, ServerOptionsError
        from hunarmitra_ws.server.server import Server

        parsed, rest = self.parser.parse_known_args([*args, APPLICATION])
        if not rest:
            # The arguments name no application, so argparse used the default one that was appended for this parse.
            args = [*args, APPLICATION]
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
    """Return an argparse type that keeps the error message of the environment parser ``parse``."""

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

"""The command `python -m hunarmitra_operator run`."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ENV = "HUNARMITRA_OPERATOR_"
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS: Final = ("text", "json")


def positive(text: str) -> float:
    """A number of seconds above 0: aiohttp would take 0 for no deadline at all."""
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is no number above 0")
    return seconds


def port(text: str) -> int:
    """A TCP port; 0 for any that is free."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is no port")
    return number


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """In the place of argparse's ``choices``, which takes any default, hence what the environment says."""

    def chosen(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(choices)}")
        return text

    return chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options; each can be given by environment too."""
    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        help=f"watch this namespace (repeatable; {ENV}NAMESPACES, separated by commas)",
    )
    parser.add_argument("--all-namespaces", action="store_true", help="watch every namespace instead")
    parser.add_argument(
        "--token-file",
        type=Path,
        default=os.environ.get(f"{ENV}TOKEN_FILE") or None,
        metavar="FILE",
        help=f"bearer token for the pods' control port, read anew each time ({ENV}TOKEN_FILE)",
    )
    parser.add_argument(
        "--interval",
        type=positive,
        default=os.environ.get(f"{ENV}INTERVAL", "5"),
        metavar="SECONDS",
        help=f"time from one turn to the next (default 5; {ENV}INTERVAL)",
    )
    parser.add_argument(
        "--api-timeout",
        type=positive,
        default=os.environ.get(f"{ENV}API_TIMEOUT", "5"),
        metavar="SECONDS",
        help=f"how long the API server may take for an answer (default 5; {ENV}API_TIMEOUT)",
    )
    parser.add_argument(
        "--port",
        type=port,
        default=os.environ.get(f"{ENV}PORT", "8080"),
        metavar="PORT",
        help=f"port of /livez, /readyz and /metrics (default 8080; {ENV}PORT)",
    )
    parser.add_argument(
        "--log-level",
        type=one_of(LOG_LEVELS),
        default=os.environ.get(f"{ENV}LOG_LEVEL", "INFO"),
        metavar="LEVEL",
        help=f"{', '.join(LOG_LEVELS)} (default INFO; {ENV}LOG_LEVEL)",
    )
    parser.add_argument(
        "--log-format",
        type=one_of(LOG_FORMATS),
        default=os.environ.get(f"{ENV}LOG_FORMAT", "text"),
        metavar="FORMAT",
        help=f"text for people, json (one object a line) for collectors (default text; {ENV}LOG_FORMAT)",
    )


def main(options: argparse.Namespace) -> int:
    """Run the operator until it is told to stop; the exit code."""
    # kopf and its dependencies are loaded here, so that `simulate` works without waiting for them.
    import kopf

    from hunarmitra_operator import handlers, logs

    logs.configure(options.log_level, options.log_format)
    wanted = options.namespace or [n for n in os.environ.get(f"{ENV}NAMESPACES", "").split(",") if n]
    if not wanted and not options.all_namespaces:
        print(f"error: name a namespace (--namespace or {ENV}NAMESPACES), or say --all-namespaces")  # noqa: T201
        return 2
    namespaces = () if options.all_namespaces else tuple(wanted)
    made = handlers.Options(
        namespaces, options.token_file, options.interval, options.api_timeout, port=options.port
    )
    # Without an identity kopf asks for the user's name, and in a container a number is all there is.
    identity: Any = "hunarmitra-operator"
    kopf.run(
        standalone=True,
        identity=identity,
        clusterwide=options.all_namespaces,
        namespaces=namespaces,
        memo=kopf.Memo(options=made),
    )
    return 0

"""The command `python -m hunarmitra_operator run`."""

from __future__ import annotations

import argparse
import os
import re
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

ENV = "HUNARMITRA_OPERATOR_"
LOG_LEVELS: Final = ("DEBUG", "INFO", "WARNING", "ERROR")
LOG_FORMATS: Final = ("text", "json")


def positive(text: str) -> float:
    """Parse a number of seconds above 0. aiohttp would take 0 for no deadline at all."""
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return seconds


def port(text: str) -> int:
    """Parse a TCP port; 0 for any free port."""
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port (0 to 65535)")
    return number


def namespace(text: str) -> str:
    """Parse the name of a namespace."""
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not the name of a namespace")
    return text


def lease(text: str) -> tuple[str, str]:
    """Parse the namespace and the name of a Lease."""
    where, slash, name = text.partition("/")
    if not slash or not re.fullmatch(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?", name):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAMESPACE/NAME of a Lease")
    return namespace(where), name


def namespaces(options: argparse.Namespace) -> tuple[str, ...] | None:
    """Return the namespaces to watch: empty for all of them, None if none was named.

    An option counts before the environment.
    """
    if options.all_namespaces:
        return ()
    if options.namespace:
        return tuple(dict.fromkeys(options.namespace))
    listed = [item.strip() for item in os.environ.get(f"{ENV}NAMESPACES", "").split(",") if item.strip()]
    if "*" in listed:
        return ()
    return tuple(dict.fromkeys(map(namespace, listed))) or None


def one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    """Return a parser that accepts one of `choices`.

    argparse's own `choices` does not check a default, hence not what the environment says.
    """

    def chosen(text: str) -> str:
        if text not in choices:
            raise argparse.ArgumentTypeError(f"{text!r} is not one of {', '.join(choices)}")
        return text

    return chosen


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options. Each can be set by an environment variable too."""
    parser.add_argument(
        "--namespace",
        action="append",
        metavar="NAME",
        type=namespace,
        help=f"namespace to watch; repeatable ({ENV}NAMESPACES, separated by commas; * for all)",
    )
    parser.add_argument("--all-namespaces", action="store_true", help="watch every namespace")
    parser.add_argument(
        "--token-file",
        type=Path,
        default=os.environ.get(f"{ENV}TOKEN_FILE") or None,
        metavar="FILE",
        help=f"file with the bearer token of the pods' control port, read before each use ({ENV}TOKEN_FILE)",
    )
    parser.add_argument(
        "--lease",
        type=lease,
        default=os.environ.get(f"{ENV}LEASE") or None,
        metavar="NAMESPACE/NAME",
        help=f"Lease of which one replica of several is the leader; without it, run a single replica ({ENV}LEASE)",
    )
    parser.add_argument(
        "--interval",
        type=positive,
        default=os.environ.get(f"{ENV}INTERVAL", "5"),
        metavar="SECONDS",
        help=f"time between the starts of two turns (default 5; {ENV}INTERVAL)",
    )
    parser.add_argument(
        "--api-timeout",
        type=positive,
        default=os.environ.get(f"{ENV}API_TIMEOUT", "5"),
        metavar="SECONDS",
        help=f"deadline of a request to the API server (default 5; {ENV}API_TIMEOUT)",
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
        help=f"least severe level to log: {', '.join(LOG_LEVELS)} (default INFO; {ENV}LOG_LEVEL)",
    )
    parser.add_argument(
        "--log-format",
        type=one_of(LOG_FORMATS),
        default=os.environ.get(f"{ENV}LOG_FORMAT", "text"),
        metavar="FORMAT",
        help=f"format of log lines: text, or json with one object a line (default text; {ENV}LOG_FORMAT)",
    )


def main(options: argparse.Namespace) -> int:
    """Run the operator until it is stopped, and return the exit code."""
    # kopf and its dependencies are imported here, so that `--help` answers without waiting for them.
    import kopf

    from hunarmitra_operator import handlers, logs

    logs.configure(options.log_level, options.log_format)
    wanted = namespaces(options)
    if wanted is None:
        sys.stderr.write(
            f"error: no namespace to watch: name a namespace (--namespace, {ENV}NAMESPACES) or pass --all-namespaces\n"
        )
        return 2
    made = handlers.Options(
        wanted,
        options.token_file,
        options.interval,
        options.api_timeout,
        port=options.port,
        lease=options.lease,
        identity=socket.gethostname(),  # the pod's name: a restarted container leads again at once
    )
    # Without an identity kopf looks up the user's name, and in a container the user has only a number.
    identity: Any = "hunarmitra-operator"
    kopf.run(
        standalone=True,
        identity=identity,
        clusterwide=not wanted,
        namespaces=wanted,
        memo=kopf.Memo(options=made),
        stop_flag=made.stop,
    )
    return 1 if made.lost else 0

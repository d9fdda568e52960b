"""The operator of HunarMitra realtime: scales WebSocket pods by their connections."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hunarmitra_operator import command


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line, run the command and return its exit code."""
    parser = argparse.ArgumentParser(prog="python -m hunarmitra_operator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    service = commands.add_parser("run", help="run the operator against the cluster")
    command.add_arguments(service)
    options = parser.parse_args(arguments)
    try:
        return command.main(options)
    except argparse.ArgumentTypeError as error:
        service.error(f"{command.ENV}NAMESPACES: {error}")


if __name__ == "__main__":
    sys.exit(main())

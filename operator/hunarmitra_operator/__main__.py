"""`python -m hunarmitra_operator`: run the operator, or try the decision on a trace."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from hunarmitra_operator import command
from hunarmitra_operator.simulate import command as simulate


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse the command line and run what it asks for; the exit code."""
    parser = argparse.ArgumentParser(prog="python -m hunarmitra_operator", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    service = commands.add_parser("run", help="run the operator against the cluster")
    command.add_arguments(service)
    trial = commands.add_parser(
        "simulate", help="run the decision over a trace of connections, beside HPA and KEDA"
    )
    simulate.add_arguments(trial)
    options = parser.parse_args(arguments)
    return command.main(options) if options.command == "run" else simulate.main(options)


if __name__ == "__main__":
    sys.exit(main())

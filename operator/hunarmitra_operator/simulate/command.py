"""The command `python -m hunarmitra_operator simulate`."""

from __future__ import annotations

import argparse
from pathlib import Path

from hunarmitra_operator.simulate import report
from hunarmitra_operator.simulate.traces import GENERATORS, TUNING_SEEDS, Trace, TraceError, read, write


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument("--trace", type=Path, metavar="FILE", help="a CSV file: seconds,connections,event")
    source.add_argument("--generate", choices=sorted(GENERATORS), help="a generated trace instead of a file")
    source.add_argument(
        "--report", type=Path, metavar="PAGE", help="run every generated trace and rewrite the tables of PAGE"
    )
    parser.add_argument("--out", type=Path, metavar="PICTURE", help="draw connections, pods and load (SVG)")
    parser.add_argument(
        "--seed", type=int, default=TUNING_SEEDS[0], help="of clients and accidents (default 1)"
    )
    parser.add_argument("--save", type=Path, metavar="FILE", help="also write the trace as CSV")


def main(options: argparse.Namespace) -> int:
    """Run it; the exit code."""
    if options.report:
        report.write(options.report)
        print(f"wrote {options.report} and {options.report.with_suffix('')}/*.svg")
        return 0
    try:
        trace: Trace = read(options.trace) if options.trace else GENERATORS[options.generate](options.seed)
    except (OSError, TraceError) as error:
        print(f"error: {error}")
        return 2
    if options.save:
        write(trace, options.save)
    table, picture = report.one(trace, options.seed)
    print(table)
    if options.out:
        options.out.write_text(picture)
        print(f"drew {options.out}")
    return 0

"""Simulate the operator's decision on a trace of connections, and compare it with HPA and KEDA.

`make simulate ARGS=...`, or `python -m tools.simulate` with the operator's environment and `PYTHONPATH=operator`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools.simulate import manifest, report
from tools.simulate.files import TraceError, read, write
from tools.simulate.run import SPEC
from tools.simulate.traces import GENERATORS, TUNING_SEEDS, Trace


def options(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Parse the command line."""
    description = (__doc__ or "").partition("\n")[0]
    parser = argparse.ArgumentParser(prog="python -m tools.simulate", description=description)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        "--trace",
        type=Path,
        metavar="FILE",
        help="CSV file (seconds,connections,event, and the metrics of the spec), or JSON of a Prometheus range query",
    )
    source.add_argument(
        "--generate",
        choices=sorted(GENERATORS),
        metavar="NAME",
        help=f"generated trace: {', '.join(sorted(GENERATORS))}",
    )
    source.add_argument(
        "--report", type=Path, metavar="PAGE", help="run every generated trace and rewrite the tables of PAGE"
    )
    parser.add_argument("--out", type=Path, metavar="PICTURE", help="draw connections, pods and load (SVG)")
    parser.add_argument(
        "--spec", type=Path, metavar="FILE", help="WebSocketScaler (YAML or JSON) to simulate, not with --report"
    )
    parser.add_argument("--seed", type=int, default=TUNING_SEEDS[0], help="seed of the random numbers (default 1)")
    parser.add_argument("--save", type=Path, metavar="FILE", help="also write the trace as CSV")
    parser.add_argument(
        "--prediction",
        action="store_true",
        help="also run with spec.prediction, after a week with the same trace (a generated one with another seed)",
    )
    chosen = parser.parse_args(arguments)
    if chosen.report and chosen.spec:
        parser.error("--report compares with the defaults; use --spec with --trace or --generate")
    return chosen


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    chosen = options(arguments)
    if chosen.report:
        report.write(chosen.report)
        print(f"wrote {chosen.report} and {chosen.report.with_suffix('')}/*.svg")
        return 0
    try:
        spec = manifest.read(chosen.spec) if chosen.spec else SPEC
        names = [metric.name for metric in spec.metrics]
        if names and not chosen.trace:
            raise TraceError(f"generated traces have only connections; {names[0]!r} of spec.metrics needs --trace FILE")
        trace: Trace = read(chosen.trace, names) if chosen.trace else GENERATORS[chosen.generate](chosen.seed)
    except (OSError, TraceError, manifest.ManifestError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if chosen.save:
        write(trace, chosen.save)
    last_week = None
    if chosen.prediction:
        last_week = GENERATORS[chosen.generate](chosen.seed + 1) if chosen.generate else trace
    table, picture = report.one(trace, chosen.seed, spec, last_week)
    print(table)
    if chosen.out:
        chosen.out.write_text(picture)
        print(f"drew {chosen.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

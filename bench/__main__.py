"""``python -m bench``: runs scenarios in turns, shows how far it is, and writes the results.

Runs are interleaved: every server once, then every server again, so that what else the machine does falls on all.
"""

from __future__ import annotations

import argparse
import signal
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from tqdm import tqdm

from bench import report
from bench.plot import draw
from bench.results import Results, Sitting
from bench.scenarios import (
    bloat,
    booking,
    connects,
    curves,
    fan_out,
    floor,
    hostile,
    live,
    many,
    memory,
    observability,
    one_connection,
    outages,
    rest,
    rolling_restart,
    slow_reader,
    soak,
)
from bench.scenarios.scenario import FULL, QUICK, Scenario, Sizes
from bench.subjects import Subject
from bench.world import BENCH, BUILD, MissingToolError, World, build_programs, machine

SCENARIOS: tuple[Scenario, ...] = (
    floor.SCENARIO,
    fan_out.SCENARIO,
    connects.SCENARIO,
    memory.SCENARIO,
    many.SCENARIO,
    one_connection.SCENARIO,
    live.SCENARIO,
    observability.SCENARIO,
    rest.SCENARIO,
    booking.SCENARIO,
    outages.SCENARIO,
    bloat.SCENARIO,
    slow_reader.SCENARIO,
    hostile.SCENARIO,
    rolling_restart.SCENARIO,
    curves.SCENARIO,
)
RUNS, QUICK_RUNS = 7, 2


def _arguments() -> argparse.Namespace:
    scenarios = "\n".join(f"  {scenario.name:<16} {scenario.title}" for scenario in SCENARIOS)
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measures this server beside its peers on this machine, over loopback, with real Redis.",
        epilog=f"scenarios:\n{scenarios}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--quick", action="store_true", help="a short pass of two runs, for development")
    parser.add_argument("--runs", type=int, help=f"interleaved runs (default: {RUNS}, quick: {QUICK_RUNS})")
    parser.add_argument(
        "--scenario",
        action="append",
        choices=[scenario.name for scenario in SCENARIOS],
        help="only this one (repeatable)",
    )
    parser.add_argument(
        "--subject", action="append", metavar="NAME", help="only this server of each scenario (repeatable)"
    )
    parser.add_argument(
        "--soak", type=float, metavar="SECONDS", help="only this: many sockets that come and go, for so long"
    )
    keep = parser.add_mutually_exclusive_group()
    keep.add_argument("--append", action="store_true", help="add runs to the figures of an earlier call")
    keep.add_argument(
        "--replace", action="store_true", help="keep the figures of an earlier call, except for what is measured again"
    )
    parser.add_argument(
        "--output", type=Path, help="folder for results.md, .json and .svg (default: bench/, quick: .cache/bench/quick)"
    )
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    # As on Ctrl-C: the servers are stopped, and none is left behind.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sizes = QUICK if arguments.quick else FULL
    folder: Path = arguments.output or (BUILD / "quick" if arguments.quick else BENCH)
    folder.mkdir(parents=True, exist_ok=True)
    raw = folder / "results.json"
    chosen = [one for one in SCENARIOS if not arguments.scenario or one.name in arguments.scenario]
    if arguments.soak:
        chosen = [soak.scenario(arguments.soak)]
    try:
        programs = build_programs()
    except MissingToolError as error:
        sys.exit(f"error: {error}")
    kept = (arguments.append or arguments.replace) and raw.exists()
    results = Results.load(raw) if kept else Results()
    results.quick = results.quick or sizes.quick
    runs = arguments.runs or (QUICK_RUNS if sizes.quick else RUNS)
    steps = [
        (scenario, subject)
        for scenario in chosen
        for _ in range(runs if scenario.repeats else 1)
        for subject in scenario.subjects
        if not arguments.subject or subject.name in arguments.subject
    ]
    if not steps:
        sys.exit("error: no chosen scenario has such a subject; bench/results.json names them")
    if arguments.replace:
        for scenario, subject in steps:
            results.drop(scenario.name, subject.name)
    results.sittings.append(Sitting(f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC", machine()))
    with tempfile.TemporaryDirectory(prefix="hm-bench-") as directory, World(Path(directory), programs) as world:
        _measure(world, steps, sizes, results, raw)
    _write(results, folder)


def _measure(
    world: World, steps: Sequence[tuple[Scenario, Subject]], sizes: Sizes, results: Results, raw: Path
) -> None:
    with tqdm(total=len(steps), unit="run", dynamic_ncols=True) as bar:
        for scenario, subject in steps:
            bar.set_description(f"{scenario.name}: {subject.name}")
            try:
                results.add(scenario.name, subject.name, scenario.measure(world, subject, sizes))
            except MissingToolError as error:
                results.note(str(error))
                bar.write(str(error))
            except (AssertionError, RuntimeError) as error:
                results.note(f"{scenario.name} of {subject.name} failed once: {str(error).splitlines()[0]}")
                bar.write(f"{scenario.name}: {subject.name}: {error}")
            results.save(raw)
            bar.update()


def _write(results: Results, folder: Path) -> None:
    text = report.page(results)
    try:
        draw(results, folder / "results.svg")
        text += "\nThe plot: [CPU per delivery, and latency against sockets and events](results.svg).\n"
    except ImportError:
        print("no plot: matplotlib is not there (make bench installs it)")
    (folder / "results.md").write_text(text)
    print(text)
    print(f"written to {folder / 'results.md'}")


if __name__ == "__main__":
    main()

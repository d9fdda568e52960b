"""Writes the results as a page: what must hold and whether it does, then every table."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from bench.must_hold import verdicts
from bench.pairs import Ratios
from bench.results import Results
from bench.scenarios.booking import FLEET, FLEET_INTERVAL, LIFE
from bench.scenarios.booking import SCENARIO as BOOKING
from bench.scenarios.hostile import HTTP_KINDS, WS_KINDS
from bench.scenarios.one_connection import SCENARIO as ONE_CONNECTION
from bench.scenarios.outages import KINDS as OUTAGES
from bench.subjects import TITLES as SERVER_TITLES
from bench.systems import PARTS

TITLES = SERVER_TITLES | {
    subject.name: subject.title for scenario in (BOOKING, ONE_CONNECTION) for subject in scenario.subjects
}
SUMS = {
    "life": f"a booking's life ({', '.join(f'{times} × {name}' for name, times in LIFE.items())}), ms",
    "fleet": f"{FLEET:,} live bookings, a location each {FLEET_INTERVAL:g} s, cores",
}


@dataclass(frozen=True)
class Column:
    """``figure`` is the name in the raw figures."""

    heading: str
    figure: str


@dataclass(frozen=True)
class Table:
    heading: str
    scenario: str
    columns: tuple[Column, ...]


def _fan_out_table(prefix: str, heading: str) -> Table:
    columns = [
        ("deliveries per CPU second", "deliveries per CPU second"),
        ("CPU per delivery, µs", "CPU per delivery us"),
        ("deliveries/s", "deliveries per second"),
        ("server CPU, cores", "server CPU cores"),
        ("generator CPU, cores", "generator CPU cores"),
        ("lost", "lost"),
        ("twice", "duplicates"),
    ]
    if "fixed" in prefix:
        columns += [("p50, ms", "p50 ms"), ("p99, ms", "p99 ms")]
    return Table(heading, "fan-out", tuple(Column(title, f"{prefix} {name}") for title, name in columns))


def _same(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name.removesuffix(" ms") + (", ms" if name.endswith(" ms") else ""), name) for name in names)


TABLES: tuple[Table, ...] = (
    _fan_out_table("500 fixed", "Fan-out, 500 sockets a booking, 2,000 deliveries a second"),
    _fan_out_table("500 saturated", "Fan-out, 500 sockets a booking, saturation"),
    _fan_out_table("20 fixed", "Fan-out, 20 sockets a booking, 2,000 deliveries a second"),
    _fan_out_table("20 saturated", "Fan-out, 20 sockets a booking, saturation"),
    Table(
        "Connecting with a JWT",
        "connects",
        _same("connects per CPU second", "connects per second", "crowd p50 ms", "crowd slowest ms", "failed"),
    ),
    Table(
        "Idle authenticated sockets",
        "memory",
        _same("KB per socket", "sockets", "empty process MB", "idle CPU cores"),
    ),
    Table(
        "Many sockets, 200 events a second",
        "many",
        _same("sockets", "p50 ms", "p99 ms", "max ms", "CPU per delivery us", "memory MB", "lost", "duplicates"),
    ),
    Table(
        "Phones with two subscriptions: figures for a phone",
        "one-connection",
        _same(
            "phones",
            "connect CPU us",
            "connect PostgreSQL CPU us",
            "statements of a connect",
            "statements of a connect alone",
            "KB per phone",
            "p50 ms",
            "p99 ms",
            "server CPU cores",
            "returning slowest ms",
            "500 subscriptions seconds",
            "lost",
            "duplicates",
        ),
    ),
    Table(
        "A dispatcher's 500 subscriptions while its connection breaks",
        "one-connection",
        _same(
            "dispatcher events",
            "dispatcher disconnects",
            "dispatcher lost",
            "dispatcher repeated",
            "dispatcher out of order",
        ),
    ),
    Table(
        "One dispatcher on `live`",
        "live",
        _same(
            "bookings",
            "CPU cores",
            "pages seconds",
            "memory MB",
            "locations sent",
            "locations received",
            "statuses",
            "lost",
            "duplicates",
            "others p99 ms",
            "others quiet p99 ms",
        ),
    ),
    Table(
        "Soak: 200 events, 50 connects and 50 closes a second",
        "soak",
        _same(
            "seconds",
            "sockets",
            "expected",
            "lost",
            "duplicates",
            "p99 ms",
            "max ms",
            "memory warm MB",
            "memory highest MB",
        ),
    ),
    Table(
        "POST tracking",
        "rest",
        _same(
            "requests per CPU second",
            "requests per second",
            "POST p50 ms",
            "POST p99 ms",
            "watcher p50 ms",
            "watcher p99 ms",
            "positions expected",
            "positions seen",
            "refused",
        ),
    ),
    Table(
        "Many locations and the table of the bookings",
        "bloat",
        _same(
            "locations",
            "HOT %",
            "not HOT when grown",
            "heap before MB",
            "heap when grown MB",
            "heap at the end MB",
            "indexes before MB",
            "indexes when grown MB",
            "indexes at the end MB",
            "dead rows at the end",
            "autovacuums",
        ),
    ),
    Table(
        "The floor, and what the load generator can take",
        "floor",
        _same(
            "paced CPU per write us",
            "CPU per write us",
            "writes per CPU second",
            "generator CPU per delivery us",
            "generator deliveries per second",
            "lost",
        ),
    ),
    Table(
        "One client stops reading",
        "slow-reader",
        _same(
            "memory grown KB",
            "others p99 ms",
            "quiet p99 ms",
            "quiet again p99 ms",
            "closed 4008",
            "resynchronized",
            "lost",
            "duplicates",
        ),
    ),
    Table(
        "Rolling restart under 2,000 resuming clients",
        "rolling-restart",
        _same(
            "restarts",
            "events",
            "expected",
            "delivered",
            "lost",
            "duplicates",
            "closed 4012",
            "closed 1006",
            "busiest second over mean",
        ),
    ),
)


def number(value: float) -> str:
    """Three digits that matter, thousands divided."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "never"
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [_row(heading), _row(["---"] * len(heading)), *(_row(row) for row in rows)]


def table_of(results: Results, table: Table) -> list[str]:
    """Empty when its scenario was not measured."""
    subjects = results.figures.get(table.scenario, {})
    if not subjects:
        return []
    rows = [
        [
            TITLES.get(subject, subject),
            *(number(results.median(table.scenario, subject, column.figure)) for column in table.columns),
        ]
        for subject in subjects
    ]
    runs = results.runs(table.scenario)
    said = "one run" if runs == 1 else f"medians of {runs} runs"
    return [
        "",
        f"### {table.heading}",
        "",
        f"({said})",
        "",
        *_markdown(["", *(c.heading for c in table.columns)], rows),
    ]


def curve_tables(results: Results) -> list[str]:
    """Rows ``<n> sockets: …`` and ``<n> events/s: …`` of the scale curves."""
    runs = results.figures.get("curves", {}).get("hunarmitra", [])
    if not runs:
        return []
    lines: list[str] = []
    columns = _same("p50 ms", "p99 ms", "max ms", "CPU per delivery us", "server CPU cores", "memory MB", "lost")
    for kind, heading in (("sockets", "More sockets, 100 events a second"), ("events/s", "More events, 2,000 sockets")):
        points = sorted({int(name.split()[0]) for name in runs[0] if f" {kind}: " in name})
        rows = [
            [
                f"{point:,} {kind}",
                *(number(results.median("curves", "hunarmitra", f"{point} {kind}: {c.figure}")) for c in columns),
            ]
            for point in points
        ]
        lines += [
            "",
            f"### {heading}, ten sockets a booking",
            "",
            *_markdown(["", *(c.heading for c in columns)], rows),
        ]
    return lines


def pairs_table(results: Results) -> list[str]:
    """What it costs to be observed, in pairs. Empty when that was not measured."""
    rows = []
    for load in ("500", "20"):
        pairs = Ratios.of(results, "observability", "hunarmitra", load)
        if not pairs.pairs:
            return []
        cells = [pairs.median_of(0), pairs.median_of(1), pairs.median, pairs.lowest, pairs.highest, len(pairs.pairs)]
        rows.append([f"{load} sockets a booking, saturation", *map(number, cells)])
    heading = ["", "deliveries per CPU second, on", "off", "on to off, median of pairs", "lowest", "highest", "pairs"]
    return ["", "### Metrics, traces of 1 % of the events and JSON logs, on and off", "", *_markdown(heading, rows)]


def _place_in_life(operation: str) -> tuple[int, int]:
    """Return where an operation stands in its table: in the order of a life, and locations by their rate."""
    place = next(number for number, name in enumerate(LIFE) if operation.startswith(name))
    rate = re.search(r"([\d,]+)/s", operation)
    return place, int(rate[1].replace(",", "")) if rate else 0


def booking_tables(results: Results) -> list[str]:
    """Return what each operation costs each part of a system; a system without an operation has no row of it."""
    lines: list[str] = []
    heading = ["µs of CPU an operation", *PARTS, "sum", "p50, ms", "p99, ms"]
    for subject, runs in results.figures.get("booking", {}).items():
        operations = [name.removesuffix(" sum us") for name in runs[0] if name.endswith(" sum us")]
        operations.sort(key=_place_in_life)
        columns = [*(f"{part} us" for part in (*PARTS, "sum")), "p50 ms", "p99 ms"]
        rows = [
            [operation, *(number(results.median("booking", subject, f"{operation} {column}")) for column in columns)]
            for operation in operations
        ]
        for name, unit in (("life", "ms"), ("fleet", "cores")):
            if f"{name} sum {unit}" in runs[0]:
                sums = [results.median("booking", subject, f"{name} {part} {unit}") for part in (*PARTS, "sum")]
                rows.append([f"**{SUMS[name]}**", *map(number, sums), "", ""])
        lines += ["", f"### Operations of a booking: {TITLES[subject]}", "", *_markdown(heading, rows)]
    return lines


def hostile_table(results: Results) -> list[str]:
    """Return a row for each kind of hostile client. Empty when that was not measured."""
    if not results.runs("hostile"):
        return []
    columns = _same("p50 ms quiet", "p50 ms", "p99 ms quiet", "p99 ms", "refused", "lost", "memory grown MB")
    rows = [
        [kind, *(number(results.median("hostile", "hunarmitra", f"{kind} {column.figure}")) for column in columns)]
        for kind in (*WS_KINDS, *HTTP_KINDS)
    ]
    heading = "### Hostile clients beside honest ones"
    return ["", heading, "", *_markdown(["kind", *(column.figure for column in columns)], rows)]


def outages_table(results: Results) -> list[str]:
    """Return a row for each kind of outage. Empty when that was not measured."""
    if not results.runs("outages"):
        return []
    columns = (
        "sent", "accepted", "unavailable", "unanswered", "slowest answer s", "accepted again s", "delivered again s",
        "well again s", "memory grown MB", "disconnects",
    )  # fmt: skip
    rows = [
        [kind, *(number(results.median("outages", "hunarmitra", f"{kind} {column}")) for column in columns)]
        for kind in OUTAGES
    ]
    heading = "### Outages: locations that were sent during it, and seconds after it"
    return ["", heading, "", *_markdown(["kind", *columns], rows)]


def sittings_table(results: Results) -> list[str]:
    """When, on what machine, and what: figures of two sittings are of two times of day."""
    rows = []
    for sitting in results.sittings:
        what = [
            f"{scenario}{'' if runs.keys() == results.figures[scenario].keys() else ' of ' + ', '.join(sorted(runs))}: "
            f"{max(runs.values())}"
            for scenario, runs in sorted(sitting.runs.items())
        ]
        machine = ", ".join(f"{name} {value}" for name, value in sorted(sitting.machine.items()) if name != "processor")
        rows.append([sitting.measured_at, sitting.machine["processor"], machine, ", ".join(what)])
    return _markdown(["measured", "processor", "software", "runs"], rows)


def page(results: Results) -> str:
    lines = [
        "# Benchmark results",
        "",
        "<!-- Written by `make bench`. -->",
        "",
        "In a sitting every server ran on the same machine, one after the other in turns, against the same Redis, with",
        "the same frame. Figures of two sittings are of two times of day, and perhaps of two machines.",
        "[docs/performance.md](../docs/performance.md) says how it is measured, and what limits the figures.",
        "",
        *(["**A quick pass, for development.**", ""] if results.quick else []),
        *sittings_table(results),
        "",
        "## What must hold",
        "",
        *_markdown(
            ["", "required", "measured", ""],
            [
                [v.what, v.required, v.measured, {True: "held", False: "**not held**", None: "–"}[v.held]]
                for v in verdicts(results)
            ],
        ),
        "",
        "## Measurements",
    ]
    for table in TABLES:
        lines += table_of(results, table)
    lines += booking_tables(results)
    lines += pairs_table(results)
    lines += hostile_table(results)
    lines += outages_table(results)
    lines += curve_tables(results)
    if results.notes:
        lines += ["", "## Notes", "", *(f"- {note}" for note in results.notes)]
    return "\n".join(lines) + "\n"

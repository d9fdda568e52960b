"""Reads and writes trace files: CSV, and the JSON answer of a Prometheus range query.

A CSV file has the columns `seconds`, `connections` and `event`, and one for each further metric; see
`tools.simulate.traces`. If a range query has several series, their values are added at each moment, so that a query by
pod works like a sum.
"""

from __future__ import annotations

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tools.simulate.traces import Event, Trace

COLUMNS = ("seconds", "connections", "event")
EVENTS = ("deploy", "unreadable", "churn")


class TraceError(ValueError):
    """A trace file that cannot be read; the message names the line and the column."""


def read(path: Path, metrics: Sequence[str] = ()) -> Trace:
    """Return the trace in a file, with these metrics besides connections. Raises `OSError` or `TraceError`."""
    try:
        text = path.read_text()
    except UnicodeDecodeError as error:
        raise TraceError(f"{path}: not a text file") from error
    is_json = text.lstrip()[:1] in {"{", "["}
    try:
        if is_json and metrics:
            raise TraceError(f": a range query has only connections; {metrics[0]!r} of spec.metrics needs a CSV file")
        return _from_prometheus(path.stem, text) if is_json else _from_csv(path.stem, text, metrics)
    except TraceError as error:
        raise TraceError(f"{path}{error}") from error


def _trace(
    name: str, rows: Iterable[tuple[float, ...]], events: Iterable[Event] = (), metrics: Sequence[str] = ()
) -> Trace:
    """Return a trace that begins at 0 seconds. A row has the seconds, the connections and the metrics."""
    times, connections, *further = zip(*rows, strict=True)
    start = times[0]
    moved = tuple(Event(event.at - start, event.kind, event.value) for event in events)
    return Trace(name, tuple(at - start for at in times), connections, moved, dict(zip(metrics, further, strict=True)))


# ── CSV ─────────────────────────────────────────────────────────────────────────────────────────────────────
def _from_csv(name: str, text: str, metrics: Sequence[str]) -> Trace:
    reader = csv.DictReader(io.StringIO(text, newline=""))
    found = reader.fieldnames or ()
    for column in (*COLUMNS[:2], *metrics):
        if found and column not in found:
            raise TraceError(f", line 1: column {column!r} is missing; found {', '.join(map(repr, found))}")
    rows: list[tuple[float, ...]] = []
    events: list[Event] = []
    for row in reader:
        try:
            at, values = _number(row, "seconds"), [_amount(row, column) for column in ("connections", *metrics)]
            if rows and at <= rows[-1][0]:
                raise TraceError(f"seconds must rise, but {at:g} follows {rows[-1][0]:g}")
            events += [_event(at, item) for item in (row.get("event") or "").split(";") if item.strip()]
        except TraceError as error:
            raise TraceError(f", line {reader.line_num}: {error}") from error
        rows.append((at, *values))
    if len(rows) < 2:
        raise TraceError(": needs the columns seconds and connections, and at least two rows")
    return _trace(name, rows, events, metrics)


def _number(row: Mapping[str, str | None], column: str) -> float:
    text = row.get(column)
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise TraceError(f"{column} must be a number, but is {text or ''!r}")
    return value


def _amount(row: Mapping[str, str | None], column: str) -> float:
    value = _number(row, column)
    if value < 0:
        raise TraceError(f"{column} must not be below 0, but is {value:g}")
    return value


def _event(at: float, text: str) -> Event:
    kind, _, value = text.strip().partition("=")
    if kind not in EVENTS:
        raise TraceError(f"event: unknown event {kind!r}; use {', '.join(EVENTS)}")
    try:
        return Event(at, kind, float(value or 0))
    except ValueError as error:
        raise TraceError(f"event: the value of {kind} must be a number, but is {value!r}") from error


def write(trace: Trace, path: Path) -> None:
    """Write the trace as a CSV file that `read` reads."""
    moments = sorted({*trace.times, *(event.at for event in trace.events)})
    with path.open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*COLUMNS, *trace.metrics])
        for at in moments:
            here = [
                event.kind if event.kind == "deploy" else f"{event.kind}={event.value:g}"
                for event in trace.events
                if event.at == at
            ]
            further = [f"{trace.metric(name, at):g}" for name in trace.metrics]
            writer.writerow([f"{at:g}", trace.at(at), ";".join(here), *further])


# ── Prometheus ──────────────────────────────────────────────────────────────────────────────────────────────
def _from_prometheus(name: str, text: str) -> Trace:
    """Return the trace in the answer of /api/v1/query_range, or of `promtool query range -o json`."""
    try:
        answer: Any = json.loads(text)
    except ValueError as error:
        raise TraceError(f": not JSON: {error}") from error
    totals: defaultdict[float, float] = defaultdict(float)
    for number, series in enumerate(_series(answer), start=1):
        for at, value in _samples(series, number):
            totals[at] += value
    if len(totals) < 2:
        raise TraceError(f": the query returned {len(totals)} moments, at least two are needed")
    return _trace(name, sorted(totals.items()))


def _series(answer: Any) -> list[Any]:
    if isinstance(answer, dict):
        if answer.get("status") == "error":
            raise TraceError(f": Prometheus reported an error: {answer.get('error', 'unknown')}")
        data = answer.get("data")
        if not isinstance(data, dict):
            data = {}
        kind = data.get("resultType")
        if kind != "matrix":
            raise TraceError(f": data.resultType must be 'matrix' (a range query), but is {kind!r}")
        answer = data.get("result")
    if not isinstance(answer, list):
        raise TraceError(": data.result must be a list of series")
    return answer


def _samples(series: Any, number: int) -> list[tuple[float, float]]:
    """Return the samples of a series. Those that are not finite, as after a division by 0, are left out."""
    values = series.get("values") if isinstance(series, dict) else None
    if not isinstance(values, list):
        raise TraceError(f", series {number}: values must be a list; a histogram has none")
    samples = []
    for place, item in enumerate(values, start=1):
        try:
            at, value = float(item[0]), float(item[1])
        except (IndexError, KeyError, TypeError, ValueError) as error:
            where = f", series {number}, value {place}"
            raise TraceError(f"{where}: needs [seconds, connections], but is {json.dumps(item)}") from error
        if value < 0:
            raise TraceError(f", series {number}, value {place}: connections must not be below 0, but is {value:g}")
        if math.isfinite(at) and math.isfinite(value):
            samples.append((at, value))
    return samples

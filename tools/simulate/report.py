"""Tables of a comparison: one for a trace, and those between the marks of `docs/scaling.md`."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from hunarmitra_operator.model import Spec
from tools.simulate.picture import draw
from tools.simulate.run import SPEC, Result, compare
from tools.simulate.traces import GENERATORS, HELD_OUT_SEEDS, TUNING_SEEDS, Trace

BEGIN = "<!-- begin: written by `make simulate ARGS='--report docs/scaling.md'` -->"
END = "<!-- end -->"
HEADER = (
    "trace",
    "autoscaler",
    "overload-seconds",
    "pod-hours",
    "cut off without notice",
    "moved",
    "twice by one decision",
)


TEXT_HEADER = (
    ("", "autoscaler"),
    ("", "overload-seconds"),
    ("", "pod-hours"),
    ("cut without", "notice"),
    ("", "moved"),
    ("twice by", "one decision"),
)
"""The same columns on two lines, for a terminal; the trace is the title."""


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table under `HEADER`."""
    aligned = "|".join(["---", "---", *["--:"] * (len(HEADER) - 2)])
    lines = [f"| {' | '.join(HEADER)} |", f"|{aligned}|"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in rows)])


def row(name: str, results: Sequence[Result]) -> list[str]:
    """Return one line under `HEADER`: the results of one autoscaler, summed."""
    tallies = [result.tally for result in results]
    return [
        name,
        results[0].autoscaler,
        f"{sum(tally.overload_seconds for tally in tallies):,.0f}",
        f"{sum(result.pod_hours for result in results):,.1f}",
        f"{sum(tally.cut for tally in tallies):,}",
        f"{sum(tally.moved for tally in tallies):,}",
        f"{sum(tally.moved_twice for tally in tallies):,}",
    ]


def text(name: str, rows: Iterable[Sequence[str]]) -> str:
    """Return a table of one trace in aligned columns, at most 80 characters wide."""
    cells = [*zip(*TEXT_HEADER, strict=True), *(line[1:] for line in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) if index == 0 else cell.rjust(width) for index, (cell, width) in enumerate(line))
        for line in (list(zip(line, widths, strict=True)) for line in cells)
    ]
    return "\n".join([name, *(line.rstrip() for line in lines)])


def one(trace: Trace, seed: int, spec: Spec = SPEC, last_week: Trace | None = None) -> tuple[str, str]:
    """Return the table, as text, and the picture of one trace."""
    results = compare(trace, seed, spec, last_week)
    picture = draw(results, spec.cap_per_pod, spec.target_per_pod)
    return text(trace.name, [row(trace.name, [result]) for result in results]), picture


def _all(seeds: Iterable[int]) -> tuple[str, list[Result]]:
    """Return the table over every generated trace, summed over the seeds, with a total; and all results."""
    everything: list[Result] = []
    rows = []
    for build in GENERATORS.values():
        groups = list(zip(*(compare(build(seed), seed) for seed in seeds), strict=True))
        rows += [row(group[0].trace.name, group) for group in groups]
        everything += [result for group in groups for result in group]
    for name in dict.fromkeys(result.autoscaler for result in everything):
        rows.append(row("**all**", [result for result in everything if result.autoscaler == name]))
    return table(rows), everything


def _ratio(results: Sequence[Result]) -> str:
    def hours(name: str) -> float:
        return sum(result.pod_hours for result in results if result.autoscaler == name)

    return f"Pod-hours in all: {hours('WebSocketScaler') / hours('HPA'):.3f} × HPA's."


def write(page: Path) -> None:
    """Replace the text between the marks of `page`, and draw the pictures beside it, in `scaling/`."""
    text = page.read_text()
    head, _, rest = text.partition(BEGIN)
    _, _, tail = rest.partition(END)
    tuning, tuned = _all(TUNING_SEEDS)
    held, unseen = _all(HELD_OUT_SEEDS)
    parts = [
        f"Seeds {', '.join(map(str, TUNING_SEEDS))}, whose results were known while the operator was written:",
        tuning,
        _ratio(tuned),
        f"Seeds {', '.join(map(str, HELD_OUT_SEEDS))}, fixed beforehand and run only at the end:",
        held,
        _ratio(unseen),
    ]
    folder = page.with_suffix("")
    folder.mkdir(exist_ok=True)
    seed = TUNING_SEEDS[0]
    for name, build in GENERATORS.items():
        trace = build(seed)
        picture = draw(compare(trace, seed), SPEC.cap_per_pod, SPEC.target_per_pod)
        (folder / f"{name}.svg").write_text(picture)
        parts += [f"### {trace.name.capitalize()}", (build.__doc__ or "").strip()]
        parts += [f"![{trace.name}: connections, pods and the fullest pod]({folder.name}/{name}.svg)"]
    page.write_text(head + BEGIN + "\n\n" + "\n\n".join(parts) + "\n\n" + END + tail)

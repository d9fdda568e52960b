"""The plot beside the results: CPU per delivery of each server, the scale curves of this one, a booking's life."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.results import Results
from bench.scenarios.booking import SCENARIO as BOOKING
from bench.subjects import ALL, TITLES
from bench.systems import PARTS

LOADS = ("20 fixed", "20 saturated", "500 fixed", "500 saturated")


def draw(results: Results, path: Path) -> None:
    """Raises ImportError without matplotlib."""
    import matplotlib as mpl

    mpl.use("svg")
    # The same figures give the same file.
    mpl.rcParams.update({"svg.hashsalt": "hunarmitra", "svg.fonttype": "none", "font.size": 8})
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(4, 1, figsize=(8, 14), constrained_layout=True)
    _deliveries(axes[0], results)
    _curve(axes[1], results, "sockets", "sockets on one process (100 events/s)")
    _curve(axes[2], results, "events/s", "events a second (2,000 sockets, ten a booking)")
    _life(axes[3], results)
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)


def _deliveries(axis: Any, results: Results) -> None:
    subjects = [subject.name for subject in ALL if subject.name in results.figures.get("fan-out", {})]
    if not subjects:
        axis.set_title("not measured")
        return
    height = 0.8 / len(subjects)
    for position, subject in enumerate(subjects):
        values = [results.median("fan-out", subject, f"{load} CPU per delivery us") for load in LOADS]
        places = [row + position * height for row in range(len(LOADS))]
        axis.barh(places, values, height, label=TITLES[subject])
    axis.set_yticks(
        [row + 0.4 for row in range(len(LOADS))],
        [f"{load} rate".replace("saturated rate", "saturated") for load in LOADS],
    )
    axis.set_xscale("log")
    axis.set_xlabel("server CPU per delivery, µs (less is better)")
    axis.set_title("Fan-out: sockets a booking, and load")
    axis.legend()


def _curve(axis: Any, results: Results, kind: str, label: str) -> None:
    runs = results.figures.get("curves", {}).get("hunarmitra", [])
    points = sorted({int(name.split()[0]) for name in (runs[0] if runs else ()) if f" {kind}: " in name})
    for name, style in (("p50 ms", "o-"), ("p99 ms", "s-"), ("max ms", "^:")):
        values = [results.median("curves", "hunarmitra", f"{point} {kind}: {name}") for point in points]
        axis.plot(points, values, style, label=f"{name.removesuffix(' ms')}")
    axis.set_xlabel(label)
    axis.set_ylabel("publish → socket, ms")
    if points:
        axis.set_yscale("log")
        axis.set_xscale("log" if kind == "events/s" else "linear")
        axis.legend()
    else:
        axis.set_title("not measured")


def _life(axis: Any, results: Results) -> None:
    """Draw what a booking's life costs each part of this version and the earlier one."""
    subjects = [subject for subject in BOOKING.subjects if results.values("booking", subject.name, "life sum ms")]
    axis.set_title("CPU of a booking's life" if subjects else "not measured")
    left = [0.0] * len(subjects)
    for part in PARTS:
        widths = [results.median("booking", subject.name, f"life {part} ms") for subject in subjects]
        axis.barh([subject.title for subject in subjects], widths, 0.6, left, label=part)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axis.set_xlabel("CPU of all parts, ms (less is better)")
    if subjects:
        axis.legend()

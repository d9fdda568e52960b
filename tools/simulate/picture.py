"""Draws a comparison as an SVG, without a library."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

from tools.simulate.run import Result

WIDTH, LEFT, RIGHT = 900, 70, 20
PLOT = WIDTH - LEFT - RIGHT
HEIGHT, GAP, TOP = 190, 62, 48
COLOURS = {"WebSocketScaler": "#0a7d3e", "with prediction": "#0369a1", "HPA": "#c2410c", "KEDA": "#6d28d9"}
GREY = "#64748b"


@dataclass(frozen=True, slots=True)
class Line:
    """Labelled curve. `band` fills the area up to another curve."""

    label: str
    colour: str
    values: Sequence[float]
    band: Sequence[float] | None = None
    dashed: bool = False


def _nice(value: float) -> float:
    """Return a number not below `value` for the top of an axis, with round quarters."""
    magnitude = 1.0
    while magnitude * 40 <= value:
        magnitude *= 10
    return next(step * magnitude for step in (4, 6, 8, 12, 16, 20, 24, 32, 40) if step * magnitude >= value)


def _clock(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours}:{minutes:02}"


def _text(x: float, y: float, text: str, extra: str = "") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" {extra}>{escape(text)}</text>'


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.1f},{y:.1f}" for x, y in points)


def _legend(lines: Sequence[Line], y: float) -> list[str]:
    """Draw the labels, right-aligned above the chart."""
    parts: list[str] = []
    x = float(WIDTH - RIGHT)
    for line in reversed(lines):
        x -= 6.3 * len(line.label)
        parts.append(_text(x, y, line.label))
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="M{x - 24:.1f},{y - 4:.1f}h18" stroke="{line.colour}" stroke-width="2"{dash}/>')
        x -= 40
    return parts


def _chart(title: str, times: Sequence[float], lines: Sequence[Line], top: float) -> list[str]:
    """Draw one panel: axes, legend and curves."""
    ceiling = _nice(max((value for line in lines for value in line.values), default=1.0) or 1.0)
    span = times[-1] - times[0] or 1.0

    def at(index: int, value: float) -> tuple[float, float]:
        return LEFT + PLOT * (times[index] - times[0]) / span, top + HEIGHT * (1 - min(value, ceiling) / ceiling)

    parts = [_text(LEFT, top - 10, title, 'font-weight="600"'), *_legend(lines, top - 10)]
    for step in range(5):
        y = top + HEIGHT * step / 4
        parts.append(f'<path d="M{LEFT},{y:.1f}h{PLOT}" stroke="#e2e8f0"/>')
        label = f"{ceiling * (4 - step) / 4:,.10g}"
        parts.append(_text(LEFT - 8, y + 4, label, 'text-anchor="end"'))
    for step in range(7):
        x = LEFT + PLOT * step / 6
        parts.append(_text(x, top + HEIGHT + 16, _clock(times[0] + span * step / 6), 'text-anchor="middle"'))
    for line in lines:
        points = [at(index, value) for index, value in enumerate(line.values)]
        if line.band is not None:
            back = [at(index, value) for index, value in enumerate(line.band)][::-1]
            parts.append(f'<path d="{_path([*points, *back])}Z" fill="{line.colour}" opacity=".15"/>')
        dash = ' stroke-dasharray="5 4"' if line.dashed else ""
        parts.append(f'<path d="{_path(points)}" fill="none" stroke="{line.colour}" stroke-width="1.6"{dash}/>')
    return parts


def draw(results: Sequence[Result], cap: int, target: int) -> str:
    """Draw connections, pods, and the load of the fullest pod (for the operator also down to the emptiest)."""
    ours = results[0]
    times = ours.series.time
    flat = [1.0] * len(times)
    by_pod = [
        Line(
            f"{result.autoscaler}: fullest",
            COLOURS[result.autoscaler],
            result.series.fullest,
            band=result.series.emptiest if result is ours else None,
            dashed=result.autoscaler == "KEDA",
        )
        for result in results
    ]
    pods = [Line(r.autoscaler, COLOURS[r.autoscaler], r.series.pods, dashed=r.autoscaler == "KEDA") for r in results]
    panels: list[tuple[str, list[Line]]] = [
        ("Connections", [Line("connected", GREY, ours.series.connections)]),
        ("Pods", pods),
        (
            "Connections per pod",
            [
                *by_pod,
                Line("cap", "#dc2626", [cap * one for one in flat], dashed=True),
                Line("target", GREY, [target * one for one in flat], dashed=True),
            ],
        ),
    ]
    height = TOP + len(panels) * (HEIGHT + GAP)
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    font = 'font-family="system-ui, sans-serif" font-size="11" fill="#334155"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} {font}>',
        f"<title>{escape(ours.trace.name)}</title>",
        f'<rect width="{WIDTH}" height="{height}" fill="#fff"/>',
        _text(LEFT, 20, ours.trace.name.capitalize(), 'font-size="15" font-weight="600"'),
    ]
    for index, (title, lines) in enumerate(panels):
        parts += _chart(title, times, lines, TOP + 14 + index * (HEIGHT + GAP))
    return "\n".join([*parts, "</svg>", ""])

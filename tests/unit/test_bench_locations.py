"""The judgement of the benchmark's figures for locations: outages, and a million of them."""

from __future__ import annotations

import math

import pytest

from bench.report import page
from bench.results import Results
from bench.scenarios.bloat import bloat_figures
from bench.scenarios.outages import KINDS as OUTAGES
from bench.scenarios.outages import locations_of, outage_figures
from tests.unit.test_bench import verdict_of


def _sent(*rows: tuple[float, float, str, bool, float]) -> dict[str, object]:
    """A report of the load generator: seconds after the first location, -1 for what did not come."""
    sent, answered, codes, retry, seen = zip(*rows, strict=True)

    def milliseconds(times: tuple[float, ...]) -> list[float]:
        return [1e3 * time if time >= 0 else -1 for time in times]

    return {
        "began": 100_000_000_000, "sent": milliseconds(sent), "answered": milliseconds(answered), "codes": list(codes),
        "retry": list(retry), "seen": milliseconds(seen),
    }  # fmt: skip


def test_the_locations_of_an_outage_are_judged_by_what_became_of_each() -> None:
    """The outage is from second 10 to 20; the last location is late again."""
    locations = locations_of(
        _sent(
            (9, 9.1, "accepted", False, 9.1),
            (11, 13, "unavailable", True, -1),
            (12, 15, "unavailable", False, -1),
            (13, -1, "", False, -1),
            (19, 20.2, "accepted", False, 20.4),
            (20.05, 20.5, "too_soon", True, -1),
            (21.25, 21.3, "accepted", False, 22.5),
            (25, 25.1, "accepted", False, 25.1),
        )
    )
    figures = outage_figures("Redis away", locations, 110, 120)
    counts = ("sent", "accepted", "unavailable", "unanswered", "other answers", "without retry")
    assert [figures[f"Redis away {name}"] for name in counts] == [4, 1, 2, 1, 0, 1]
    seconds = ("slowest answer s", "accepted again s", "delivered again s", "well again s")
    assert [figures[f"Redis away {name}"] for name in seconds] == pytest.approx([3, 0.2, 0.4, 1.3])


def test_after_an_outage_from_which_nothing_came_back_nothing_holds() -> None:
    locations = locations_of(_sent((11, 13, "unavailable", True, -1), (21, 23, "unavailable", True, -1)))
    figures = outage_figures("Redis away", locations, 110, 120)
    assert math.isinf(figures["Redis away accepted again s"])
    assert figures["Redis away well again s"] == pytest.approx(1.1)
    assert "| never |" in page(_outages(**figures))


def _outages(**figures: float) -> Results:
    results = Results()
    every = {
        f"{kind} {name}": value
        for kind in OUTAGES
        for name, value in {
            "sent": 10_000, "accepted": 2_000, "unavailable": 8_000, "unanswered": 0, "without retry": 0,
            "slowest answer s": 2.5, "accepted again s": 0.5, "delivered again s": 0.5, "well again s": 1,
            "memory grown MB": 5, "disconnects": 0, "second answers": 0,
        }.items()
    }  # fmt: skip
    results.add("outages", "hunarmitra", {"locations a second": 1_000.0, "outage s": 10.0, **every, **figures})
    return results


def test_the_worst_kind_of_outage_decides() -> None:
    what = "PostgreSQL or Redis hang or are away, 1,000 locations/s, 10 s: memory"
    assert verdict_of(_outages(), what).held is True
    assert verdict_of(Results(), "PostgreSQL or Redis hang").held is None
    for name, value, row in [
        ("memory grown MB", 17, what),
        ("unanswered", 1, "… locations without an answer"),
        ("without retry", 1, "… told `unavailable`"),
        ("slowest answer s", 3.1, "… slowest answer"),
        ("accepted again s", 3.1, "… until a location is accepted"),
        ("delivered again s", math.inf, "… until a location is delivered"),
        ("well again s", 3.1, "… until all are accepted"),
        ("disconnects", 1, "… connections closed"),
    ]:
        results = _outages(**{f"Redis hangs {name}": value})
        assert verdict_of(results, row).held is False, name
    assert "| Redis away | 10,000 | 2,000 | 8,000 | 0 | 2.5 | 0.5 | 0.5 | 1 | 5 | 0 |" in page(_outages())


def test_a_table_that_grows_after_its_rows_have_their_size_does_not_hold() -> None:
    def sample(updates: int, hot: int, heap: int, indexes: int = 2_000_000) -> dict[str, int]:
        return {
            "updates": updates, "hot": hot, "dead": 9, "autovacuums": 1, "heap": heap, "indexes": indexes,
        }  # fmt: skip

    for last, held in ((3_300_000, True), (3_400_000, False)):
        empty, grown = sample(5, 5, 1_000_000), sample(100, 90, 3_000_000)
        stored = {"locations": 1_000, "stored": 1_000, "empty": empty, "grown": grown}
        figures = bloat_figures(stored | {"last": sample(1_005, 995, last)})
        assert (figures["HOT %"], figures["not HOT when grown"]) == (99, 0)
        results = Results()
        results.add("bloat", "hunarmitra", figures)
        assert verdict_of(results, "1,000 locations: HOT").held is True
        assert verdict_of(results, "… heap at the end, to rows of full size").held is held
        assert verdict_of(results, "… indexes at the end").held is True

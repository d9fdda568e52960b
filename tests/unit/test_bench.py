"""The benchmark judges by medians, says what was not measured, and hides nothing that failed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from bench.__main__ import SCENARIOS
from bench.must_hold import Verdict, verdicts
from bench.processes import cpu_seconds, resident_bytes
from bench.report import page
from bench.results import Results
from tests.support.eventually import eventually


def _verdict(results: Results, what: str) -> Verdict:
    return next(verdict for verdict in verdicts(results) if verdict.what.startswith(what))


def _memory(*own: float, centrifuge: float = 30.0) -> Results:
    results = Results()
    for value in own:
        results.add("memory", "hunarmitra", {"KB per socket": value})
    results.add("memory", "centrifuge", {"KB per socket": centrifuge})
    return results


def test_one_bad_run_of_three_does_not_decide() -> None:
    assert _verdict(_memory(9.0, 90.0, 10.0), "Memory per idle") == Verdict(
        "Memory per idle authenticated socket", "≤ 20 KB", "10 KB", True
    )


def test_what_did_not_hold_is_said() -> None:
    assert _verdict(_memory(25.0), "Memory per idle").held is False
    assert "**not held**" in page(_memory(25.0), SCENARIOS)


def test_what_was_not_measured_is_neither_held_nor_not() -> None:
    assert {verdict.held for verdict in verdicts(Results())} == {None}
    assert "**not held**" not in page(Results(), SCENARIOS)


def test_a_single_lost_event_of_any_run_counts() -> None:
    results = Results()
    for lost in (0.0, 1.0, 0.0):
        results.add("rolling-restart", "hunarmitra", {"lost": lost, "duplicates": 0.0})
    assert _verdict(results, "Rolling restarts").held is False


def test_raw_figures_survive_the_file(tmp_path: Path) -> None:
    results = _memory(9.5)
    results.note("left out")
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results


def test_processor_time_is_finer_than_a_tick_and_of_the_process_that_is_named() -> None:
    with (
        subprocess.Popen(["sleep", "30"]) as idle,
        subprocess.Popen([sys.executable, "-c", "while True: pass"]) as busy,
    ):
        try:
            before = cpu_seconds(idle.pid)
            eventually(lambda: cpu_seconds(busy.pid) > 0.1, 30)
            assert cpu_seconds(idle.pid) - before < 0.05
            assert resident_bytes(idle.pid) > 100_000
            ticks = cpu_seconds(busy.pid) * 100
            assert ticks != int(ticks)
        finally:
            busy.kill()
            idle.kill()

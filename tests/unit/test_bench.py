"""The benchmark compares medians, names what was not measured, and reports every failure."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.dispatcher import LiveDispatcher, Received
from bench.must_hold import Verdict, verdicts
from bench.pairs import Ratios, by_turns
from bench.peers.hostile import KINDS
from bench.peers.location_publisher import location
from bench.processes import core_of_its_own, cpu_seconds, resident_bytes
from bench.report import page
from bench.results import Results, Sitting
from bench.scenarios import hostile
from bench.scenarios.booking import FLEET, FLEET_INTERVAL, LIFE, add_life
from bench.scenarios.hostile import HTTP_KINDS, WS_KINDS
from bench.statements import count_statements
from bench.systems import PARTS
from hunarmitra.protocol.messages import malformed_field
from tests.support.eventually import eventually
from tests.support.frames import problems_of_frame
from tests.support.stack import base_environment, call_in


def verdict_of(results: Results, what: str) -> Verdict:
    return next(verdict for verdict in verdicts(results) if verdict.what.startswith(what))


def _memory(*own: float, centrifuge: float = 30.0) -> Results:
    results = Results()
    for value in own:
        results.add("memory", "hunarmitra", {"KB per socket": value})
    results.add("memory", "centrifuge", {"KB per socket": centrifuge})
    return results


def test_one_bad_run_of_three_does_not_decide() -> None:
    assert verdict_of(_memory(9.0, 90.0, 10.0), "Memory per idle") == Verdict(
        "Memory per idle authenticated socket", "≤ 20 KB", "10 KB", True
    )


def test_what_did_not_hold_is_said() -> None:
    assert verdict_of(_memory(25.0), "Memory per idle").held is False
    assert "**not held**" in page(_memory(25.0))


def test_what_was_not_measured_is_neither_held_nor_not() -> None:
    assert {verdict.held for verdict in verdicts(Results())} == {None}
    assert "**not held**" not in page(Results())


def _observed(*pairs: tuple[float, float], load: str = "500") -> dict[str, float]:
    on, off = ([pair[side] for pair in pairs] for side in (0, 1))
    return by_turns(len(pairs), load, lambda: on.pop(0), lambda: off.pop(0))


def test_pairs_begin_with_one_and_the_other_by_turns() -> None:
    order: list[str] = []

    def measured(name: str) -> Callable[[], float]:
        def measure() -> float:
            order.append(name)
            return len(order)

        return measure

    figures = by_turns(3, "20", measured("on"), measured("off"))
    assert order == ["on", "off", "off", "on", "on", "off"]
    assert (figures["20 pair 1 on"], figures["20 pair 1 off"]) == (4.0, 3.0)


def test_a_ratio_is_the_median_of_the_pairs_of_all_runs_and_of_its_load_alone() -> None:
    results = Results()
    results.add("observability", "hunarmitra", _observed((96, 100), (50, 100)))
    results.add("observability", "hunarmitra", _observed((99, 100)) | _observed((1, 100), load="20"))
    pairs = Ratios.of(results, "observability", "hunarmitra", "500")
    assert (pairs.median, pairs.lowest, pairs.highest) == (0.96, 0.5, 0.99)
    assert (pairs.median_of(0), pairs.median_of(1)) == (96, 100)
    what = "Deliveries per CPU second, {} sockets a booking, metrics"
    assert verdict_of(results, what.format(500)).measured == "0.96 × (0.50–0.99)"
    assert verdict_of(results, what.format(500)).held is True
    assert verdict_of(results, what.format(20)).held is False
    assert "| 500 sockets a booking, saturation | 96 | 100 | 0.96 | 0.5 | 0.99 | 3 |" in page(results)


def counts_without_metrics() -> list[float]:
    import django

    django.setup()
    from bench.peers.unobserved import switch_off

    switch_off()
    from hunarmitra_ws.metrics import metrics

    assert metrics.latency.arrived({"committed_at": 1, "published_at": 1}, "status") is None
    metrics.delivered("status", 20, None)
    metrics.slow_clients_closed.inc()
    return [metrics.deliveries.values["status"], metrics.slow_clients_closed.values[""]]


def test_the_server_without_its_metrics_counts_nothing(tmp_path: Path) -> None:
    environment = base_environment(
        DATABASE_URL=f"sqlite:///{tmp_path / 'none'}", DJANGO_SETTINGS_MODULE="hunarmitra.settings", SERVICES="ws"
    )
    assert call_in(environment, counts_without_metrics) == [0, 0]


def test_a_single_lost_event_of_any_run_counts() -> None:
    results = Results()
    for lost in (0.0, 1.0, 0.0):
        results.add("rolling-restart", "hunarmitra", {"lost": lost, "duplicates": 0.0})
    assert verdict_of(results, "Rolling restarts").held is False


def _beside_hostile(p99: float, **figures: float) -> Results:
    results = Results()
    every = {
        f"{kind} {name}": value
        for kind in (*WS_KINDS, *HTTP_KINDS)
        for name, value in {
            "p50 ms quiet": 5, "p99 ms quiet": 10, "p50 ms": 5, "p99 ms": p99, "refused": 0, "lost": 0,
            "memory grown MB": 50,
        }.items()
    }  # fmt: skip
    results.add("hostile", "hunarmitra", {**every, "documented MB": 300.0, **figures})
    return results


def test_honest_clients_may_take_twice_as_long_beside_hostile_ones() -> None:
    what = "Beside hostile clients, p99 of honest {}"
    for p99, held in ((20.0, True), (21.0, False)):
        assert verdict_of(_beside_hostile(p99), what.format("connections")).held is held
        assert verdict_of(_beside_hostile(p99), what.format("requests")).held is held
    worst = _beside_hostile(10, **{"reset p99 ms": 25})
    assert verdict_of(worst, what.format("connections")).measured == "2.50 × (reset)"
    assert "| reset | 5 | 5 | 10 | 25 | 0 | 0 | 50 |" in page(worst)


def test_a_single_refused_honest_client_counts_and_so_does_memory_beyond_the_sum() -> None:
    assert verdict_of(_beside_hostile(10, **{"reset refused": 1}), "… honest connections refused").held is False
    assert verdict_of(_beside_hostile(10, **{"slow-body refused": 1}), "… honest requests refused").held is False
    assert verdict_of(_beside_hostile(10), "… memory of the ws process").held is True
    assert verdict_of(_beside_hostile(10, **{"never-reads memory grown MB": 301}), "… memory of the ws").held is False


def test_each_kind_of_hostile_client_exists() -> None:
    assert set(KINDS) == {*WS_KINDS, *HTTP_KINDS}


def test_a_soak_whose_memory_goes_on_growing_does_not_hold() -> None:
    for highest, held in ((203.0, True), (205.0, False)):
        results = Results()
        figures = {"seconds": 1800.0, "lost": 0.0, "duplicates": 0.0, "memory warm MB": 200.0}
        results.add("soak", "hunarmitra", figures | {"memory highest MB": highest})
        assert verdict_of(results, "30 minutes of that").held is True
        assert verdict_of(results, "… memory's growth").held is held


def test_raw_figures_survive_the_file(tmp_path: Path) -> None:
    results = _memory(9.5)
    results.note("left out")
    results.save(tmp_path / "results.json")
    assert Results.load(tmp_path / "results.json") == results


def test_what_is_measured_anew_is_of_its_own_sitting_alone(tmp_path: Path) -> None:
    results = Results()
    for hour, processor in (("10:00", "A"), ("11:00", "B")):
        results.drop("memory", "hunarmitra")
        results.sittings.append(Sitting(hour, {"processor": processor, "Python": "3.13.1"}))
        results.add("memory", "hunarmitra", {"KB per socket": 9.0})
        if hour == "10:00":
            results.add("memory", "centrifuge", {"KB per socket": 30.0})
            results.add("floor", "bare", {"CPU per delivery": 1.0})
    results.save(tmp_path / "results.json")

    said = page(Results.load(tmp_path / "results.json"))

    assert "| 10:00 | A | Python 3.13.1 | floor: 1, memory of centrifuge: 1 |" in said
    assert "| 11:00 | B | Python 3.13.1 | memory of hunarmitra: 1 |" in said
    assert said == page(results), "the page is the same before the file and after it"


def test_a_sitting_of_which_everything_was_measured_anew_is_gone() -> None:
    results = Results(sittings=[Sitting("10:00", {"processor": "A"})])
    results.add("memory", "hunarmitra", {"KB per socket": 9.0})

    results.drop("memory", "hunarmitra")

    assert (results.sittings, results.figures) == ([], {})


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


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core")
def test_a_server_has_a_core_of_its_own_for_as_long_as_that_is_asked() -> None:
    cores = os.sched_getaffinity(0)
    command = [sys.executable, "-c", "input()"]
    with (
        subprocess.Popen(command, stdin=subprocess.PIPE) as server,
        subprocess.Popen(command, stdin=subprocess.PIPE) as other,
    ):
        with core_of_its_own(server.pid):
            own = os.sched_getaffinity(server.pid)
            assert len(own) == 1
            assert os.sched_getaffinity(0) == os.sched_getaffinity(other.pid) == cores - own
        assert os.sched_getaffinity(0) == os.sched_getaffinity(other.pid) == os.sched_getaffinity(server.pid) == cores
        for process in (server, other):
            process.communicate(b"\n")


def test_a_location_is_compared_by_what_it_costs_all_parts() -> None:
    results = Results()
    parts = {"http": 100.0, "ws": 10.0, "PostgreSQL": 40.0, "Redis": 5.0}
    posted = {f"location by REST {part} us": cost for part, cost in parts.items()}
    results.add("booking", "version-0.1", {name: 10 * cost for name, cost in posted.items()})
    results.add("booking", "hunarmitra", posted)
    assert verdict_of(results, "A location by REST").measured == "0.1 ×"
    assert verdict_of(results, "A location by REST").held is True
    assert verdict_of(results, "A location by connection").held is None


def test_a_life_is_the_sum_of_its_operations_part_by_part() -> None:
    figures = {f"{operation} {part} us": 10.0 for operation in (*LIFE, "location by REST") for part in (*PARTS, "sum")}
    add_life(figures)
    assert figures["life http ms"] == pytest.approx(sum(LIFE.values()) * 10 / 1000)
    assert figures["fleet http cores"] == pytest.approx(10e-6 * FLEET / FLEET_INTERVAL)


def _phones(subject: str, **figures: float) -> Results:
    results = Results()
    common = {"p99 ms": 4.0, "connect CPU us": 1000.0, "lost": 0.0, "duplicates": 0.0}
    results.add("one-connection", "two-connections", {**common, "KB per phone": 20.0})
    results.add("one-connection", subject, {**common, "KB per phone": 9.0, **figures})
    return results


def test_one_connection_is_compared_with_two_of_the_same_phone() -> None:
    results = _phones("one-connection", **{"connect CPU us": 600.0, "p99 ms": 5.0})
    what = "A phone with two subscriptions"
    assert verdict_of(results, f"{what}: publish").held is True
    held = {verdict.measured: verdict.held for verdict in verdicts(results) if verdict.what.startswith("… ")}
    assert (held["9 KB"], held["0.45 ×"], held["0.6 ×"]) == (True, True, False)
    assert verdict_of(_phones("one-connection", lost=1.0), "500 subscriptions").held is None


def test_a_status_that_a_dispatcher_missed_counts() -> None:
    dispatcher = LiveDispatcher(connection=None)  # type: ignore[arg-type]
    dispatcher.seqs = {"a": 3}
    for seq in (4, 6, 6, 5):
        dispatcher.count("a", seq)
    assert (dispatcher.missing, dispatcher.repeated, dispatcher.seqs) == (1, 2, {"a": 6})


def test_a_statement_of_several_lines_is_one() -> None:
    log = (
        "2026-01-05 10:00:00.000 UTC [7] LOG:  statement: BEGIN\n"
        "2026-01-05 10:00:00.001 UTC [7] LOG:  execute <unnamed>: SELECT 1,\n"
        "\t'x LOG:  statement: '\n"
        "2026-01-05 10:00:00.001 UTC [7] DETAIL:  Parameters: $1 = '1'\n"
        "2026-01-05 10:00:00.002 UTC [8] LOG:  execute _pg3_0/C_1: SELECT 2\n"
        "2026-01-05 10:00:00.003 UTC [9] LOG:  checkpoint starting: time\n"
    )
    assert count_statements(log) == 3


def test_the_statements_of_a_connect_are_shown_beside_those_of_two_connections() -> None:
    figures = {"statements of a connect": 1.5, "statements of a connect alone": 6.0, "connect PostgreSQL CPU us": 90.0}
    results = _phones("one-connection", **figures)
    of_two = {"statements of a connect": 3.0, "statements of a connect alone": 8.0, "connect PostgreSQL CPU us": 360.0}
    results.add("one-connection", "two-connections", of_two)
    assert verdict_of(results, "… CPU of PostgreSQL for that").measured == "0.25 ×"
    assert verdict_of(results, "… statements for that").measured == "0.50 ×"
    assert verdict_of(results, "… statements for that, one phone").measured == "0.75 ×"
    row = next(line for line in page(results).splitlines() if line.startswith("| this server, /ws/ "))
    assert "| 90 | 1.5 | 6 |" in row


def test_each_event_of_a_dispatcher_that_is_missing_repeated_or_late_counts() -> None:
    first, newest = {"a": 3, "b": 0}, {"a": 6, "b": 2}
    assert Received.of({"a": [4, 5, 6], "b": [1, 2]}, first, newest) == Received(0, 0, 0)
    assert Received.of({"a": [4, 6], "b": []}, first, newest) == Received(lost=3, repeated=0, out_of_order=0)
    assert Received.of({"a": [4, 5, 5, 6, 6], "b": [1, 2]}, first, newest) == Received(0, 2, 0)
    assert Received.of({"a": [5, 4, 6], "b": [2, 1]}, first, newest) == Received(0, 0, 2)
    assert Received.of({"a": [3, 4, 5, 6], "b": [1, 2]}, first, newest) == Received(0, 1, 0)


def test_a_dispatchers_events_hold_only_when_each_came_once_and_in_order() -> None:
    what = "… 40,000 status events"
    good = {"dispatcher events": 40_000.0, "dispatcher disconnects": 10.0}
    good |= {f"dispatcher {name}": 0.0 for name in ("lost", "repeated", "out of order")}
    verdict = verdict_of(_phones("one-connection", **good), what)
    assert verdict == Verdict(
        "… 40,000 status events through them, 10 disconnects: lost, repeated or out of order", "0", "0", True
    )
    for name in ("lost", "repeated", "out of order"):
        assert verdict_of(_phones("one-connection", **good | {f"dispatcher {name}": 1.0}), what).held is False
    assert verdict_of(_phones("one-connection"), what).held is None


def test_the_locations_of_the_benchmark_are_those_of_the_domain() -> None:
    channel, body = location("7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11", 5)
    assert malformed_field(body) is None
    assert body.keys() - {"committed_at", "published_at"} == {"type", "seq", "order", "frame"}
    assert problems_of_frame(json.loads(str(body["frame"]))) == []
    assert channel == "booking.7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11"


def test_a_kind_beside_which_nothing_arrived_stops_no_run() -> None:
    figures = hostile.kind_figures("reset", {"p50": 1.0, "p99": 2.0}, {"count": 0})
    assert (figures["reset p99 ms quiet"], math.isnan(figures["reset p99 ms"])) == (2.0, True)

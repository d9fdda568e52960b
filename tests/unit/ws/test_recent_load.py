"""Recent load: averages that follow a change, ignore a single stall, and are not reported when they are outdated."""

from __future__ import annotations

from hunarmitra_ws.recent_load import OUTDATED_SECONDS, RecentLoad


def sampled(*delays: float, per_sample: int = 0) -> RecentLoad:
    """Return the load after samples 0.1 s apart."""
    load = RecentLoad()
    for number, delay in enumerate((0.0, *delays)):
        load.sample(0.1 * number, delay, per_sample * number)
    return load


def test_a_process_without_samples_has_no_load() -> None:
    assert RecentLoad().report(5.0) == {"event_loop_delay_ms": 0.0, "deliveries_per_second": 0.0}


def test_the_averages_follow_a_lasting_change() -> None:
    report = sampled(*[0.05] * 600, per_sample=20).report(60.0)
    assert 48 < report["event_loop_delay_ms"] <= 50
    assert 194 < report["deliveries_per_second"] <= 200.001


def test_one_stall_counts_little() -> None:
    assert 0 < sampled(*[0.0] * 300, 3.0).report(30.1)["event_loop_delay_ms"] < 50


def test_samples_that_stopped_are_not_reported() -> None:
    load = sampled(0.05)
    assert load.report(0.1 + OUTDATED_SECONDS)
    assert not load.report(0.2 + OUTDATED_SECONDS)

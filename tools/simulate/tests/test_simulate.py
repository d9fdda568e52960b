"""The simulation: what the operator promises against HPA and KEDA, and the command around it."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hunarmitra_operator.hpa import ceil_div
from hunarmitra_operator.model import Reason
from tools.simulate import files, manifest, report
from tools.simulate.__main__ import main
from tools.simulate.autoscalers import EXTRA_REPLICAS, Ours, Predicting
from tools.simulate.run import SPEC, Result, compare, run
from tools.simulate.traces import GENERATORS, HELD_OUT_SEEDS, TUNING_SEEDS

# `.ci/run` sets it: without the seeds by which the defaults were chosen.
TUNING: tuple[int, ...] = () if os.environ.get("VARIANTS") == "0" else TUNING_SEEDS
SEEDS = (*TUNING, *HELD_OUT_SEEDS)
PAGE = Path(__file__).parents[3] / "docs" / "scaling.md"


@cache
def results(name: str, seed: int) -> tuple[Result, Result, Result]:
    """Ours, HPA's and KEDA's; computed once for all tests."""
    ours, hpa, keda = compare(GENERATORS[name](seed), seed)
    return ours, hpa, keda


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", GENERATORS)
def test_never_more_overload_than_hpa_and_nobody_cut_off(name: str, seed: int) -> None:
    ours, hpa, keda = results(name, seed)
    assert ours.tally.overload_seconds <= hpa.tally.overload_seconds
    assert ours.tally.overload_seconds <= keda.tally.overload_seconds
    assert ours.tally.cut == 0
    assert ours.tally.moved_twice == 0


@pytest.mark.parametrize("seeds", [seeds for seeds in (TUNING, HELD_OUT_SEEDS) if seeds], ids=str)
def test_hardly_more_pod_hours_than_hpa(seeds: tuple[int, ...]) -> None:
    ours, hpa = (sum(results(name, seed)[i].pod_hours for name in GENERATORS for seed in seeds) for i in (0, 1))
    assert ours <= 1.1 * hpa


@pytest.mark.parametrize("name", GENERATORS)
def test_it_follows_the_load_in_the_end(name: str) -> None:
    ours = results(name, SEEDS[0])[0]
    load, tolerated = ours.series.connections[-1], 1.1 * SPEC.target_per_pod
    assert load / tolerated <= ours.series.pods[-1] <= max(2, ceil_div(load, SPEC.target_per_pod)) + 2
    assert ours.series.fullest[-1] <= SPEC.cap_per_pod


def test_half_unreadable_never_scales_down_meanwhile() -> None:
    for seed in SEEDS:
        ours = results("half-unreadable", seed)[0]
        series = ours.series
        during = [p for at, p in zip(series.time, series.pods, strict=True) if 1260 <= at < 3000]
        assert during == sorted(during)
        assert any(decision.reason is Reason.STALE for decision in ours.decisions)


def test_a_prediction_adds_pods_before_the_crowd_and_a_wrong_one_costs_its_limit() -> None:
    crowd, calm = GENERATORS["flash-crowd"](1), GENERATORS["deploy"](1)
    alone = results("flash-crowd", 1)[0]
    predicted = run(crowd, lambda spec: Predicting(spec, GENERATORS["flash-crowd"](2)), 1)
    assert predicted.tally.overload_seconds < alone.tally.overload_seconds
    assert predicted.tally.cut == 0
    wrong = run(calm, lambda spec: Predicting(spec, crowd), 1)
    extra = wrong.pod_hours - results("deploy", 1)[0].pod_hours
    assert 0 < extra <= EXTRA_REPLICAS * calm.end / 3600


def test_the_same_seed_gives_the_same_run() -> None:
    again = compare(GENERATORS["deploy"](7), 7)
    assert [r.tally for r in again] == [r.tally for r in compare(GENERATORS["deploy"](7), 7)]


def test_a_trace_survives_being_written_and_read(tmp_path: Path) -> None:
    for name, build in GENERATORS.items():
        trace, path = build(1), tmp_path / f"{name}.csv"
        files.write(trace, path)
        back = files.read(path)
        assert back.events == trace.events
        assert all(abs(back.at(at) - trace.at(at)) <= 1 for at in trace.times)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "at least two rows"),
        ("seconds,connections\n0,1\n", "at least two rows"),
        ("seconds,connections\n0,1\n0,2\n", "line 3: seconds must rise"),
        ("seconds,connections\n0,1\n9,-2\n", "line 3"),
        ("seconds,connections\n0,1\nsoon,2\n", "line 3"),
        ("seconds,connections,event\n0,1,\n9,1,party\n", "unknown event 'party'"),
        ("seconds,connections\n0,1\nsoon,2\n", "line 3: seconds must be a number, but is 'soon'"),
        ("seconds,connections\n0,1\n9,many\n", "line 3: connections must be a number, but is 'many'"),
        ("seconds,connections\n0,1\n9\n", "line 3: connections must be a number, but is ''"),
        ("seconds,connections\n0,1\n9,-2\n", "line 3: connections must not be below 0, but is -2"),
        ("seconds,connections,event\n0,1,\n9,1,churn=x\n", "event: the value of churn must be a number, but is 'x'"),
        ("time,connections\n0,1\n9,2\n", "line 1: column 'seconds' is missing; found 'time', 'connections'"),
        ("seconds,conns\n0,1\n9,2\n", "line 1: column 'connections' is missing; found 'seconds', 'conns'"),
        ('{"status": "error", "error": "parse error"}', "Prometheus reported an error: parse error"),
        ('{"status": "success", "data": {"resultType": "vector", "result": []}}', "a range query), but is 'vector'"),
        ('{"status": "success", "data": {"resultType": "matrix", "result": []}}', "the query returned 0 moments"),
        (
            '[{"metric": {}, "values": [[0, "1"], [15]]}]',
            "series 1, value 2: needs [seconds, connections], but is [15]",
        ),
        ('[{"metric": {}, "values": [[0, "1"], [15, "-1"]]}]', "connections must not be below 0, but is -1"),
        ('[{"metric": {}, "histograms": []}]', "series 1: values must be a list"),
        ("{", "not JSON"),
    ],
)
def test_a_bad_trace_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, complaint: str
) -> None:
    path = tmp_path / "bad.csv"
    path.write_text(text)
    assert main(["--trace", str(path)]) == 2
    assert complaint in capsys.readouterr().err


def test_a_prometheus_range_query_is_a_trace(tmp_path: Path) -> None:
    path = tmp_path / "evening.json"
    start = 1_800_000_000
    series = [
        {"metric": {"pod": "ws-0"}, "values": [[start, "100"], [start + 60, "200"], [start + 120, "300"]]},
        {"metric": {"pod": "ws-1"}, "values": [[start + 60, "50"], [start + 120.0, "NaN"]]},
    ]
    answer = {"status": "success", "data": {"resultType": "matrix", "result": series}}
    for written in (answer, series):  # as the API answers, and as promtool prints
        path.write_text(json.dumps(written))
        trace = files.read(path)
        assert trace.name == "evening"
        assert list(trace.times) == [0, 60, 120]
        assert list(trace.connections) == [100, 250, 300]


SCALER = """
apiVersion: realtime.hunarmitra.io/v1alpha1
kind: WebSocketScaler
metadata: {name: ws}
spec:
  target: {name: ws}
  connectionsPerPod: {target: 1000, cap: 1500}
  maxReplicas: 40
"""


def test_a_spec_in_a_file_is_simulated_and_hpa_has_its_behavior(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trace, scaler = tmp_path / "crowd.csv", tmp_path / "ws.yaml"
    trace.write_text("seconds,connections\n0,2000\n60,6000\n300,6000\n")
    assert main(["--trace", str(trace)]) == 0
    usual = capsys.readouterr().out
    scaler.write_text(SCALER)
    assert main(["--trace", str(trace), "--spec", str(scaler)]) == 0
    assert capsys.readouterr().out == usual
    still = "  behavior: {scaleUp: {selectPolicy: Disabled}}\n"
    scaler.write_text(SCALER + still)
    assert all(set(result.series.pods) == {2} for result in compare(files.read(trace), 1, manifest.read(scaler)))
    scaler.write_text(SCALER + still + "  scaleUp: {selectPolicy: Min}\n")
    assert main(["--trace", str(trace), "--spec", str(scaler)]) == 2
    assert "behavior.scaleUp.selectPolicy and scaleUp.selectPolicy are both set" in capsys.readouterr().err


BUSY = "  metrics: [{name: deliveries_per_second, targetPerPod: 200}]\n"
EVENING = """seconds,connections,event,deliveries_per_second,other
0,2000,,300,x
1200,2000,,990,x
3600,2000,,990,x
3700,2000,,100,x
6000,2000,,100,x
"""


def test_a_metric_of_the_spec_is_a_column_of_the_trace(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 connections need two pods; the deliveries need five, and two again later."""
    trace, scaler = tmp_path / "evening.csv", tmp_path / "ws.yaml"
    trace.write_text(EVENING)
    scaler.write_text(SCALER + BUSY)
    spec = manifest.read(scaler)
    loaded = files.read(trace, ["deliveries_per_second"])
    for result in compare(loaded, 1, spec):
        pods = dict(zip(result.series.time, result.series.pods, strict=True))
        assert pods[2400] == 5, result.autoscaler
        assert result.series.pods[-1] == 2, result.autoscaler
    ours = run(loaded, Ours, 1, spec)
    assert any(decision.decided_by == "deliveries_per_second" for decision in ours.decisions)
    assert main(["--trace", str(trace), "--spec", str(scaler)]) == 0
    saved = tmp_path / "saved.csv"
    files.write(loaded, saved)
    assert files.read(saved, ["deliveries_per_second"]).metrics == loaded.metrics


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("day.csv", "seconds,connections\n0,1\n9,2\n", "line 1: column 'deliveries_per_second' is missing; found"),
        (
            "day.csv",
            "seconds,connections,deliveries_per_second\n0,1,\n9,2,5\n",
            "line 2: deliveries_per_second must be a number, but is ''",
        ),
        (
            "day.csv",
            "seconds,connections,deliveries_per_second\n0,1,5\n9,2,-5\n",
            "line 3: deliveries_per_second must not be below 0, but is -5",
        ),
        ("day.json", '[{"values": [[0, "1"], [9, "2"]]}]', "'deliveries_per_second' of spec.metrics needs a CSV file"),
        ("", "", "'deliveries_per_second' of spec.metrics needs --trace FILE"),
    ],
)
def test_a_trace_without_the_metric_is_refused_in_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, complaint: str
) -> None:
    scaler, source = tmp_path / "ws.yaml", ["--generate", "deploy"]
    scaler.write_text(SCALER + BUSY)
    if name:
        (tmp_path / name).write_text(text)
        source = ["--trace", str(tmp_path / name)]
    assert main([*source, "--spec", str(scaler)]) == 2
    assert complaint in capsys.readouterr().err


@pytest.mark.parametrize("text", ["{", "kind: Deployment", "- kind: WebSocketScaler"])
def test_a_file_without_a_scaler_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "ws.yaml"
    path.write_text(text)
    with pytest.raises(manifest.ManifestError, match=r"ws\.yaml: "):
        manifest.read(path)


def test_the_table_is_text_in_aligned_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "night.csv"
    path.write_text("seconds,connections\n0,2000\n600,2000\n")
    assert main(["--trace", str(path)]) == 0
    title, _, header, *rows = capsys.readouterr().out.splitlines()
    assert title == "night"
    assert header.split()[:2] == ["autoscaler", "overload-seconds"]
    assert [row.split()[0] for row in rows] == ["WebSocketScaler", "HPA", "KEDA"]
    assert {len(row) for row in rows} == {len(header)}
    assert len(header) <= 80
    assert "|" not in "".join(rows)


def test_the_command_prints_a_table_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trace, picture = tmp_path / "spike.csv", tmp_path / "spike.svg"
    trace.write_text("seconds,connections,event\n100,2000,\n700,2000,deploy\n760,9000,\n2500,2000,\n4000,2000,\n")
    assert main(["--trace", str(trace), "--out", str(picture)]) == 0
    output = capsys.readouterr().out
    assert all(name in output for name in ("WebSocketScaler", "HPA", "KEDA", "overload-seconds"))
    drawing = ElementTree.fromstring(picture.read_text())
    texts = {element.text for element in drawing.iter() if element.text}
    assert {"Connections", "Pods", "Connections per pod", "Spike"} <= texts


def test_the_pages_figures_are_what_the_command_prints() -> None:
    page = PAGE.read_text()
    for name in GENERATORS:
        grouped = zip(*(results(name, seed) for seed in HELD_OUT_SEEDS), strict=True)
        for group in grouped:
            line = f"| {' | '.join(report.row(group[0].trace.name, group))} |"
            assert line in page, f"run: make simulate ARGS='--report docs/{PAGE.name}'"
        assert (PAGE.with_suffix("") / f"{name}.svg").is_file()

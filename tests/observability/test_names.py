"""What rules and dashboards name is emitted, and what is emitted is used: by the catalogues."""

from __future__ import annotations

import ast
from collections.abc import Mapping

import pytest

from hunarmitra.telemetry.catalogue import CATALOGUE, Kind
from observability.model import Record
from observability.parameters import Parameters
from observability.rules import groups
from tests.observability.queries import of_panels, of_rules, selectors
from tests.support.surroundings import REPOSITORY

UNUSED: Mapping[str, str] = {}
"""Metrics that no rule and no panel uses, each with the reason why it is emitted all the same."""

TARGET = {"namespace", "pod", "job", "instance"}
EVERYWHERE: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "up": {},
    "process_cpu_seconds_total": {},
    "process_resident_memory_bytes": {},
    "process_open_fds": {},
    "process_max_fds": {},
    "process_start_time_seconds": {},
    "ALERTS": {"alertname": (), "alertstate": ("firing", "pending")},
}
"""Prometheus' own, and those of prometheus_client."""

OPERATOR_VALUES = {
    "type": ("Ready", "Scaling", "Draining", "MetricsStale", "Limited", "Conflict", "Paused"),
    "event": ("begun", "finished", "given_up"),
}


def operator_metrics() -> dict[str, tuple[list[str], dict[str, tuple[str, ...]]]]:
    """By family: the names of its samples, and its labels. Read from the source: it has an environment of its own."""
    source = (REPOSITORY / "operator" / "hunarmitra_operator" / "metrics.py").read_text()
    found: dict[str, tuple[list[str], dict[str, tuple[str, ...]]]] = {}
    for node in ast.walk(ast.parse(source)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
            continue
        kind = node.func.id
        if kind not in {"Gauge", "Counter", "Histogram"}:
            continue
        name = ast.unparse(node.args[0]).removeprefix("f'{PREFIX}").strip("'\"")
        labels = ast.unparse(node.args[2]) if len(node.args) > 2 else ""
        names = ["namespace", "name"] if "SCALER" in labels else []
        texts = [each.value for each in ast.walk(node) if isinstance(each, ast.Constant)]
        names += [text for text in texts if isinstance(text, str)][2:]
        samples = {
            "Gauge": [f"hunarmitra_operator{name}"],
            "Counter": [f"hunarmitra_operator{name}_total"],
            "Histogram": [f"hunarmitra_operator{name}_{suffix}" for suffix in ("bucket", "sum", "count")],
        }[kind]
        found[f"hunarmitra_operator{name}"] = (samples, {label: OPERATOR_VALUES.get(label, ()) for label in names})
    return found


def emitted() -> dict[str, tuple[list[str], dict[str, tuple[str, ...]]]]:
    found = {}
    for metric in CATALOGUE:
        labels = dict(metric.labels)
        if metric.kind is Kind.HISTOGRAM:
            labels["le"] = tuple(str(float(bound)) for bound in metric.buckets)
        found[metric.name] = (list(metric.sample_names()), labels)
    return found | operator_metrics()


def recorded() -> dict[str, set[str]]:
    """The recording rules' names, with their labels."""
    found: dict[str, set[str]] = {}
    for group in groups(Parameters()):
        for rule in group.rules:
            if isinstance(rule, Record):
                found.setdefault(rule.record, set()).update({*rule.labels, "namespace", "pod"})
    return found


QUERIES = [*of_rules(Parameters()), *of_panels()]


@pytest.mark.parametrize(("where", "expr"), QUERIES, ids=[where for where, _ in QUERIES])
def test_every_metric_that_a_query_names_is_emitted_with_these_labels(where: str, expr: str) -> None:
    samples = {sample: labels for names, labels in emitted().values() for sample in names} | dict(EVERYWHERE)
    rules = recorded()
    named = list(selectors(expr))
    assert named or expr.startswith("vector("), f"{where}: no metric found in {expr}"
    for name, matchers in named:
        if name in rules:
            assert set(matchers) <= rules[name] | TARGET
            continue
        assert name in samples, f"{where} names {name}, which nothing emits"
        for label, values in matchers.items():
            if label in TARGET:
                continue
            assert label in samples[name], f"{where}: {name} has no label {label}"
            known = samples[name][label]
            assert not known or set(values) <= set(known), f"{where}: {name} has no {label} of {values}"


def test_every_metric_that_is_emitted_is_used() -> None:
    named = {name for _, expr in QUERIES for name, _ in selectors(expr)}
    for family, (samples, _) in emitted().items():
        used = bool(named & set(samples))
        if family in UNUSED:
            assert not used, f"{family} is used: take it out of UNUSED"
        else:
            assert used, f"no rule and no panel uses {family}: use it, or say in UNUSED why it is emitted"


def test_every_recording_rule_is_used() -> None:
    named = {name for _, expr in QUERIES for name, _ in selectors(expr)}
    assert set(recorded()) <= named | {"hunarmitra:slo_errors:ratio_rate2h"}


def test_the_check_can_fail() -> None:
    assert [name for name, _ in selectors('rate(hunarmitra_no_such_thing_total{lane="x"}[5m])')] == [
        "hunarmitra_no_such_thing_total"
    ]
    assert "hunarmitra_operator_decisions_total" in operator_metrics()["hunarmitra_operator_decisions"][0]
    assert set(operator_metrics()["hunarmitra_operator_decisions"][1]) == {"namespace", "name", "reason"}

"""The custom resource definition, and reading a spec that it admits."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yaml

from hunarmitra_operator import kubernetes
from hunarmitra_operator.curve import Prediction, PredictionMode
from hunarmitra_operator.model import Metric, Policy, PolicyType, Select, Spec
from hunarmitra_operator.specification import SpecError, read

CRD = yaml.safe_load((Path(__file__).parents[1] / "crds" / "websocketscalers.yaml").read_text())
VERSION = CRD["spec"]["versions"][0]
SCHEMA = VERSION["schema"]["openAPIV3Schema"]
MINIMAL: dict[str, Any] = {
    "target": {"name": "ws"},
    "connectionsPerPod": {"target": 100, "cap": 150},
    "maxReplicas": 20,
}


def defaulted(schema: dict[str, Any], value: Any) -> Any:
    """Return what the API server stores: the value with the schema's defaults filled in."""
    if schema.get("type") == "object" and isinstance(value, dict):
        full = dict(value)
        for name, field in schema.get("properties", {}).items():
            if name not in full and "default" in field:
                full[name] = field["default"]
            if name in full:
                full[name] = defaulted(field, full[name])
        return full
    if schema.get("type") == "array":
        return [defaulted(schema["items"], item) for item in value]
    return value


def fields(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every field of the schema with its path."""
    for name, field in schema.get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from fields(field, f"{path}.{name}")
        yield from fields(field.get("items", {}), f"{path}.{name}[]")


def test_the_defaults_are_the_schemas() -> None:
    spec_schema = SCHEMA["properties"]["spec"]
    raw = MINIMAL | {"schedule": [{"name": "a", "start": "18:00", "end": "02:00", "minReplicas": 3}]}
    assert read(raw) == read(defaulted(spec_schema, raw))
    assert read(MINIMAL).min_replicas == 2
    assert read(MINIMAL) == Spec("ws", 100, 150, 20)


def test_every_field_is_read() -> None:
    raw = {
        "target": {"name": "sockets"},
        "connectionsPerPod": {"target": 10, "cap": 20, "considerFullestPod": False},
        "minReplicas": 3,
        "maxReplicas": 4,
        "schedule": [
            {
                "name": "night",
                "days": ["Sun"],
                "start": "23:30",
                "end": "01:00",
                "timeZone": "Asia/Kolkata",
                "minReplicas": 4,
            }
        ],
        "scaleUp": {"tolerancePercent": 5, "selectPolicy": "Min", "stabilizationWindowSeconds": 15},
        "scaleDown": {"policies": [{"type": "Pods", "value": 1, "periodSeconds": 60}]},
        "behavior": {"scaleDown": {"stabilizationWindowSeconds": 45}},
        "reconnectsPerSecond": 7,
        "metrics": [{"name": "event_loop_delay_ms", "targetPerPod": 50}],
        "prediction": {
            "mode": "Apply",
            "leadMinutes": 20,
            "maxExtraReplicas": 2,
            "timeZone": "Asia/Kolkata",
        },
        "drain": {"windowSeconds": 30, "leaseSeconds": 20},
        "rebalance": {
            "enabled": False,
            "absoluteThreshold": 1,
            "relativeThresholdPercent": 2,
            "cooldownSeconds": 6,
        },
        "pods": {"controlPort": 1, "timeoutSeconds": 4, "maxSampleAgeSeconds": 11},
        "paused": True,
        "dryRun": True,
    }
    spec = read(raw)
    assert set(SCHEMA["properties"]["spec"]["properties"]) == set(raw), "a field of the schema is not tested here"
    assert (spec.target, spec.target_per_pod, spec.cap_per_pod) == ("sockets", 10, 20)
    assert spec.consider_fullest is False
    assert (spec.min_replicas, spec.max_replicas) == (3, 4)
    assert (spec.schedule[0].days, str(spec.schedule[0].zone)) == (frozenset({6}), "Asia/Kolkata")
    assert (spec.up.tolerance_percent, spec.up.select, spec.up.window) == (5, Select.MIN, 15)
    assert spec.down.policies == (Policy(PolicyType.PODS, 1, 60),)
    assert spec.down.window == 45
    assert (spec.reconnects_per_second, spec.drain_window, spec.lease) == (7, 30, 20)
    assert (spec.rebalance.enabled, spec.rebalance.absolute) == (False, 1)
    assert (spec.rebalance.relative_percent, spec.rebalance.cooldown) == (2, 6)
    assert (spec.control.port, spec.control.timeout, spec.max_sample_age) == (1, 4, 11)
    assert spec.metrics == (Metric("event_loop_delay_ms", 50),)
    assert spec.prediction == Prediction(PredictionMode.APPLY, 1200, 2, ZoneInfo("Asia/Kolkata"))
    assert spec.paused
    assert spec.dry_run


@pytest.mark.parametrize(
    "raw",
    [
        {},
        MINIMAL | {"connectionsPerPod": {"target": "many", "cap": 1}},
        MINIMAL | {"scaleUp": {"selectPolicy": "Sometimes"}},
        MINIMAL
        | {"schedule": [{"name": "a", "start": "18:00", "end": "19:00", "minReplicas": 3, "timeZone": "Mars/North"}]},
    ],
)
def test_a_spec_that_makes_no_sense_is_refused_in_words(raw: dict[str, Any]) -> None:
    with pytest.raises(SpecError, match="spec"):
        read(raw)


def test_every_field_of_the_spec_explains_itself() -> None:
    for path, field in fields(SCHEMA["properties"]["spec"], "spec"):
        assert len(field.get("description", "")) > 20, path


def test_every_number_is_bounded() -> None:
    for path, field in fields(SCHEMA["properties"]["spec"], "spec"):
        if field["type"] == "integer":
            assert {"minimum", "maximum"} <= set(field), path
        if field["type"] == "array":
            assert "maxItems" in field, path
        if field["type"] == "string" and "enum" not in field:
            assert {"pattern", "maxLength"} & set(field), path


def test_the_schema_is_structural_and_prunes_nothing_the_operator_writes() -> None:
    text = yaml.safe_dump(SCHEMA)
    assert "x-kubernetes-preserve-unknown-fields" not in text
    assert "additionalProperties" not in text
    assert [column["name"] for column in VERSION["additionalPrinterColumns"] if not column.get("priority")] == [
        "Connections",
        "Pods",
        "Desired",
        "Ready",
        "Reason",
        "Age",
    ]


def test_an_unknown_time_zone_is_named() -> None:
    peak = {"name": "evening", "start": "17:00", "end": "21:00", "minReplicas": 3, "timeZone": "Asia/Kolkatta"}
    raw = {"target": {"name": "ws"}, "connectionsPerPod": {"target": 1, "cap": 2}, "maxReplicas": 5, "schedule": [peak]}
    with pytest.raises(SpecError, match="unknown time zone 'Asia/Kolkatta'") as raised:
        read(raw)
    assert "custom resource" not in str(raised.value)


def test_both_versions_are_served_and_differ_in_their_name_alone() -> None:
    """With the strategy None the API server changes the name and prunes by the other version's schema."""
    assert CRD["spec"]["conversion"] == {"strategy": "None"}
    first, second = CRD["spec"]["versions"]
    assert (first["name"], second["name"]) == ("v1alpha1", "v1beta1")
    assert (first["storage"], second["storage"]) == (True, False), "0.1 knows v1alpha1 only"
    differ = ("name", "storage")
    assert [{key: value for key, value in version.items() if key not in differ} for version in (first, second)] == [
        {key: value for key, value in first.items() if key not in differ}
    ] * 2
    assert first["served"] is True
    assert kubernetes.VERSION == "v1alpha1", "the operator reads the version that every definition has"


def test_an_unknown_time_zone_of_the_prediction_is_named() -> None:
    with pytest.raises(SpecError, match=r"spec\.prediction: unknown time zone 'Mars/North'"):
        read(MINIMAL | {"prediction": {"timeZone": "Mars/North"}})


def test_the_scale_subresource_sets_the_minimum() -> None:
    scale = VERSION["subresources"]["scale"]
    assert scale == {
        "specReplicasPath": ".spec.minReplicas",
        "statusReplicasPath": ".status.currentReplicas",
        "labelSelectorPath": ".status.selector",
    }
    root = VERSION["schema"]["openAPIV3Schema"]["properties"]
    for path, kind in zip(scale.values(), ("integer", "integer", "string"), strict=True):
        _, part, name = path.split(".")
        assert root[part]["properties"][name]["type"] == kind

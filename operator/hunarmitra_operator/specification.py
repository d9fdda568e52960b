"""Reads a WebSocketScaler's spec.

The API server has validated the spec and filled in the defaults. The defaults are repeated here, so that a resource
stored before a field existed reads the same; a test compares the two.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import time
from typing import Any
from zoneinfo import ZoneInfo

from hunarmitra_operator import behavior
from hunarmitra_operator.curve import Prediction, PredictionMode
from hunarmitra_operator.kubernetes import GROUPS
from hunarmitra_operator.model import (
    DOWN_RULES,
    UP_RULES,
    Control,
    Kind,
    Metric,
    Peak,
    Policy,
    PolicyType,
    RebalanceRules,
    Rules,
    Select,
    Spec,
)

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class SpecError(ValueError):
    """The spec passes the schema and is still not usable, for example because of an unknown time zone."""


def _rules(raw: Mapping[str, Any], default: Rules) -> Rules:
    policies = default.policies
    if "policies" in raw:
        policies = tuple(
            Policy(PolicyType(item["type"]), int(item["value"]), int(item["periodSeconds"])) for item in raw["policies"]
        )
    return Rules(
        window=int(raw.get("stabilizationWindowSeconds", default.window)),
        tolerance_percent=int(raw.get("tolerancePercent", default.tolerance_percent)),
        select=Select(raw.get("selectPolicy", default.select)),
        policies=policies,
    )


def _zone(field: str, zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise SpecError(
            f"{field}: unknown time zone {zone!r}; use a name of the IANA database, such as Asia/Kolkata"
        ) from error


def _prediction(raw: Mapping[str, Any]) -> Prediction:
    return Prediction(
        mode=PredictionMode(raw.get("mode", PredictionMode.OFF)),
        lead=60 * int(raw.get("leadMinutes", 10)),
        max_extra=int(raw.get("maxExtraReplicas", 4)),
        zone=_zone("spec.prediction", str(raw.get("timeZone", "UTC"))),
    )


def _peak(raw: Mapping[str, Any]) -> Peak:
    name = str(raw["name"])
    return Peak(
        name=name,
        start=time.fromisoformat(raw["start"]),
        end=time.fromisoformat(raw["end"]),
        min_replicas=int(raw["minReplicas"]),
        zone=_zone(f"spec.schedule {name!r}", str(raw.get("timeZone", "UTC"))),
        days=frozenset(DAYS.index(day) for day in raw.get("days", DAYS)),
    )


def _kind(target: Mapping[str, Any]) -> Kind:
    name = str(target.get("kind", Kind.DEPLOYMENT))
    if name not in GROUPS:
        raise SpecError(f"spec.target.kind: unknown kind {name!r}; use {', '.join(GROUPS)}")
    kind = Kind(name)
    version = str(target.get("apiVersion", GROUPS[kind]))
    if version != GROUPS[kind]:
        raise SpecError(f"spec.target.apiVersion: {kind} has {GROUPS[kind]!r}, not {version!r}")
    return kind


def read(raw: Mapping[str, Any]) -> Spec:
    """Return the typed spec. Raises `SpecError` with a sentence for the user."""
    try:
        return _read(raw)
    except SpecError:
        raise
    except behavior.BothSetError as error:
        raise SpecError(f"spec: {error}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise SpecError(f"spec cannot be read: {error!r}; is the custom resource definition installed?") from error


def _read(raw: Mapping[str, Any]) -> Spec:
    per_pod, drain = raw["connectionsPerPod"], raw.get("drain", {})
    rebalance, pods = raw.get("rebalance", {}), raw.get("pods", {})
    return Spec(
        target=str(raw["target"]["name"]),
        kind=_kind(raw["target"]),
        target_per_pod=int(per_pod["target"]),
        cap_per_pod=int(per_pod["cap"]),
        consider_fullest=bool(per_pod.get("considerFullestPod", True)),
        min_replicas=int(raw.get("minReplicas", 2)),
        max_replicas=int(raw["maxReplicas"]),
        schedule=tuple(_peak(item) for item in raw.get("schedule", ())),
        up=_rules(behavior.merged(raw, "scaleUp"), UP_RULES),
        down=_rules(behavior.merged(raw, "scaleDown"), DOWN_RULES),
        reconnects_per_second=int(raw.get("reconnectsPerSecond", 50)),
        drain_window=int(drain.get("windowSeconds", 120)),
        lease=int(drain.get("leaseSeconds", 60)),
        rebalance=RebalanceRules(
            enabled=bool(rebalance.get("enabled", True)),
            absolute=int(rebalance.get("absoluteThreshold", 10)),
            relative_percent=int(rebalance.get("relativeThresholdPercent", 15)),
            cooldown=int(rebalance.get("cooldownSeconds", 15)),
        ),
        max_sample_age=int(pods.get("maxSampleAgeSeconds", 30)),
        control=Control(port=int(pods.get("controlPort", 8082)), timeout=int(pods.get("timeoutSeconds", 2))),
        metrics=tuple(Metric(str(item["name"]), int(item["targetPerPod"])) for item in raw.get("metrics", ())),
        prediction=_prediction(raw.get("prediction", {})),
        paused=bool(raw.get("paused", False)),
        dry_run=bool(raw.get("dryRun", False)),
    )

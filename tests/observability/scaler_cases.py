"""When each alert on the scaler fires, when it does not yet, and when it no longer does."""

from __future__ import annotations

from tests.observability.courses import NONE, burst, interrupted, silent
from tests.observability.promtool import Case, operator, steady

SCALER_CASES = (
    Case(
        "the scaler cannot read a pod",
        {operator("condition", type="MetricsStale"): interrupted(0, 1, "20m")},
        {"14m": NONE, "16m": ["HunarMitraScalerStale"], "31m": NONE},
    ),
    Case(
        "the scaler decides nothing",
        {operator("last_decision_timestamp_seconds"): silent("20m")},
        {"16m": NONE, "18m": ["HunarMitraScalerStale"], "31m": NONE},
    ),
    Case("there is no operator", {}, {"4m": NONE, "6m": ["HunarMitraScalerGone"]}, gone=("operator",)),
    Case(
        "two scale one thing",
        {operator("condition", type="Conflict"): interrupted(0, 1, "20m")},
        {"14m": NONE, "16m": ["HunarMitraScalerConflict"], "31m": NONE},
    ),
    Case(
        "the scaler may not have what it needs",
        {
            operator("condition", type="Limited"): interrupted(0, 1, "30m"),
            operator("replicas_recommended"): interrupted(2, 5, "30m"),
        },
        {"20m": NONE, "30m": ["HunarMitraScalerLimited"], "41m": NONE},
    ),
    Case(
        "the scaler is held at its minimum, which is not a shortage",
        {operator("condition", type="Limited"): steady(1), operator("replicas_recommended"): steady(1)},
        {"30m": NONE},
    ),
    Case(
        "the API server refuses the scaler",
        {operator("turn_errors_total", kind="api"): burst(6, "30m")},
        {"15m": NONE, "25m": ["HunarMitraScalerErrors"], "50m": NONE},
    ),
    Case(
        "drains are begun and given up",
        {operator("drains_total", event="given_up"): burst(0.5, "20m")},
        {"12m": NONE, "30m": ["HunarMitraScalerDrainsGivenUp"], "2h": NONE},
    ),
)

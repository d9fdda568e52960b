"""The resource's status: the decision in fields, conditions and Events, and the history for the next decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hunarmitra_operator.curve import DAY_SLOTS, WEEK_SLOTS, Curve
from hunarmitra_operator.model import (
    Change,
    Decision,
    Demand,
    Drain,
    History,
    Reason,
    Recommendation,
    Spec,
    Victim,
)

Json = dict[str, Any]

HEARTBEAT_SECONDS = 30.0
"""An unchanged status is written this often, so that its age shows whether the operator lives."""
REBALANCING_QUIET_SECONDS = 600.0
"""Consecutive rounds of rebalancing make one Event, at the first round. The next Event needs a pause of this length."""
REFRESH_SECONDS = 10.0
"""Figures that change all the time are written at most this often."""


def moment(at: float) -> str:
    """Format a time for the API server, with microseconds, so that a history is read exactly as it was written."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def seconds(text: str) -> float:
    """Parse a time that `moment` formatted."""
    return datetime.fromisoformat(text).timestamp()


# ── memory
# ───────────────────────────────────────────────────────────────────────────────────────────────────────────
_MOMENTS = {
    "pending_since": "pendingSince",
    "adopted": "adoptedAt",
    "grown": "grownAt",
    "rebalanced": "shedAt",
    "drain_ended": "drainEndedAt",
    "drain_aborted": "drainAbortedAt",
}


def read_history(status: Mapping[str, Any]) -> History:
    """Return the history that the last decision stored. A damaged status counts as no history."""
    try:
        return _read_history(status)
    except (AttributeError, KeyError, TypeError, ValueError):
        return History()


def _read_history(status: Mapping[str, Any]) -> History:
    raw = status.get("history", {})
    moments = {field: seconds(raw[name]) for field, name in _MOMENTS.items() if raw.get(name)}
    return History(
        recommendations=tuple(
            Recommendation(int(item["replicas"]), seconds(item["at"])) for item in raw.get("recommendations", ())
        ),
        changes=tuple(Change(int(item["by"]), seconds(item["at"])) for item in raw.get("changes", ())),
        replicas=raw.get("replicas"),
        pending=raw.get("pendingReplicas"),
        foreign=tuple(seconds(item) for item in raw.get("foreignChanges", ())),
        drain=_read_drain(status.get("drain")),
        curve=_read_curve(raw.get("week")),
        **moments,
    )


def _read_curve(raw: Mapping[str, Any] | None) -> Curve | None:
    """Return the curve of the week. A damaged one counts as none, as the next decision does not need it."""
    try:
        return _curve(raw) if raw else None
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _curve(raw: Mapping[str, Any]) -> Curve:
    days = [str(day).split(",") if day else [""] * DAY_SLOTS for day in raw["days"]]
    if len(days) != WEEK_SLOTS // DAY_SLOTS or any(len(day) != DAY_SLOTS for day in days):
        raise ValueError("not a week")
    week = tuple(int(value) if value else None for day in days for value in day)
    return Curve(str(raw["timeZone"]), int(raw["slot"]), raw.get("peak"), week)


def _write_curve(curve: Curve) -> Json:
    days = [curve.week[start : start + DAY_SLOTS] for start in range(0, WEEK_SLOTS, DAY_SLOTS)]
    texts = [",".join("" if value is None else str(value) for value in day) for day in days]
    raw: Json = {
        "timeZone": curve.zone,
        "slot": curve.slot,
        "days": [text if text.strip(",") else "" for text in texts],
    }
    return raw if curve.peak is None else raw | {"peak": curve.peak}


def _read_drain(raw: Mapping[str, Any] | None) -> Drain | None:
    if not raw:
        return None
    return Drain(
        id=str(raw["id"]),
        target=int(raw["target"]),
        victims=tuple(Victim(item["uid"], item["name"], int(item.get("connections", 0))) for item in raw["victims"]),
        started=seconds(raw["startedAt"]),
        deadline=seconds(raw["deadline"]),
        scaled=seconds(raw["scaledAt"]) if raw.get("scaledAt") else None,
    )


def write_history(history: History) -> Json:
    """Return the `history` field."""
    moments = {name: getattr(history, field) for field, name in _MOMENTS.items()}
    raw: Json = {
        "recommendations": [{"replicas": r.replicas, "at": moment(r.at)} for r in history.recommendations],
        "changes": [{"by": change.by, "at": moment(change.at)} for change in history.changes],
        "foreignChanges": [moment(at) for at in history.foreign],
        **{name: moment(at) for name, at in moments.items() if at is not None},
    }
    if history.replicas is not None:
        raw["replicas"] = history.replicas
    if history.pending is not None:
        raw["pendingReplicas"] = history.pending
    if history.curve is not None:
        raw["week"] = _write_curve(history.curve)
    return raw


def _write_drain(drain: Drain) -> Json:
    raw: Json = {
        "id": drain.id,
        "target": drain.target,
        "startedAt": moment(drain.started),
        "deadline": moment(drain.deadline),
        "victims": [{"uid": v.uid, "name": v.name, "connections": v.connections} for v in drain.victims],
    }
    if drain.scaled is not None:
        raw["scaledAt"] = moment(drain.scaled)
    return raw


def _write_demand(demand: Demand) -> Json:
    raw: Json = {"name": demand.metric, "targetPerPod": demand.target}
    if demand.replicas is not None and demand.average is not None:
        raw |= {"averagePerPod": f"{demand.average:.3f}", "replicas": demand.replicas}
    return raw


# ── conditions
# ───────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Condition:
    """Condition before its transition time is known."""

    type: str
    status: bool
    reason: str
    message: str


Failure = tuple[str, str]
"""Reason and message of a failed write of the number of replicas."""


def conditions(spec: Spec, decision: Decision, failure: Failure | None = None) -> list[Condition]:
    """Return all conditions after a decision, always the same types in the same order."""
    scaling = decision.scale_to is not None or decision.drain is not None
    stale = ", ".join(decision.stale[:3]) + (" and more" if len(decision.stale) > 3 else "")
    drain = decision.drain
    return [
        Condition("Ready", False, "Conflict", decision.conflict)
        if decision.conflict
        else Condition("Ready", False, *failure)
        if failure
        else Condition("Ready", True, "Reconciling", f"the operator scales the {spec.kind}"),
        Condition("Scaling", scaling, decision.reason.value if scaling else "NotScaling", decision.message),
        Condition("Draining", True, "PodsDraining", decision.message)
        if drain and drain.scaled is None
        else Condition("Draining", False, "NothingDraining", "no pod is being drained"),
        Condition("MetricsStale", True, "PodsUnreadable", f"not readable: {stale}")
        if decision.stale
        else Condition("MetricsStale", True, "MetricMissing", decision.missing)
        if decision.missing
        else Condition("MetricsStale", False, "AllPodsRead", "every running pod was read"),
        Condition("Limited", True, decision.limited.value, decision.message)
        if decision.limited
        else Condition("Limited", False, "AsTheLoadAsks", "the number of replicas is what the load needs"),
        Condition("Conflict", True, "SeveralWriters", decision.conflict)
        if decision.conflict
        else Condition("Conflict", False, "SingleWriter", f"no other autoscaler scales the {spec.kind}"),
        Condition("Paused", True, "SpecPaused", "spec.paused is set")
        if spec.paused
        else Condition("Paused", False, "NotPaused", "spec.paused is not set"),
    ]


def merge_conditions(old: list[Json], new: list[Condition], generation: int, now: float) -> list[Json]:
    """Return the new conditions, each with the time of its last change of status."""
    before = {item["type"]: item for item in old}
    merged = []
    for condition in new:
        status = "True" if condition.status else "False"
        past = before.get(condition.type)
        same = past is not None and past["status"] == status
        merged.append(
            {
                "type": condition.type,
                "status": status,
                "reason": condition.reason,
                "message": condition.message,
                "observedGeneration": generation,
                "lastTransitionTime": past["lastTransitionTime"] if past and same else moment(now),
            }
        )
    return merged


# ── the whole
# ────────────────────────────────────────────────────────────────────────────────────────────────────────
def after_decision(
    old: Mapping[str, Any],
    spec: Spec,
    decision: Decision,
    generation: int,
    failure: Failure | None = None,
    *,
    selector: str = "",
) -> Json:
    """Return the status to write after a decision."""
    status: Json = {
        "observedGeneration": generation,
        "target": spec.target_id,
        "connections": decision.connections,
        "pods": f"{decision.ready}/{decision.current}",
        "readyPods": decision.ready,
        "currentReplicas": decision.current,
        "desiredReplicas": decision.desired,
        "recommendedReplicas": decision.recommended,
        "reason": failure[0] if failure else decision.reason.value,
        "message": failure[1] if failure else decision.message,
        "lastDecisionTime": moment(decision.at),
        "history": write_history(decision.history),
        "conditions": merge_conditions(
            list(old.get("conditions", ())), conditions(spec, decision, failure), generation, decision.at
        ),
    }
    if decision.forecast is not None:
        status["prediction"] = {
            "mode": spec.prediction.mode.value,
            "connections": decision.forecast.connections,
            "at": moment(decision.forecast.at),
            "replicas": decision.forecast.replicas,
        }
    if decision.demands or decision.forecast is not None:
        status["decidedBy"] = decision.decided_by
    if decision.demands:
        status["metrics"] = [_write_demand(demand) for demand in decision.demands]
    if selector:
        status["selector"] = selector
    if decision.fullest:
        status["fullestPod"] = {"name": decision.fullest[0], "connections": decision.fullest[1]}
    if decision.drain:
        status["drain"] = _write_drain(decision.drain)
    return status


def after_failure(old: Mapping[str, Any], reason: str, message: str, generation: int, now: float) -> Json:
    """Return the status when no decision could be made: not ready, everything else unchanged."""
    failed = Condition("Ready", False, reason, message)
    kept = [item for item in old.get("conditions", ()) if item["type"] != "Ready"]
    ready = merge_conditions(list(old.get("conditions", ())), [failed], generation, now)
    return {
        **old,
        "observedGeneration": generation,
        "reason": reason,
        "message": message,
        "lastDecisionTime": moment(now),
        "conditions": [*ready, *kept],
    }


def _essence(status: Mapping[str, Any]) -> Json:
    """Return the part of a status that is written as soon as it changes."""
    history = dict(status.get("history", {}))
    history.pop("week", None)  # changes with each connection, and matters in a week
    history["recommendations"] = [item["replicas"] for item in history.get("recommendations", ())]
    return {
        **{
            field: status.get(field)
            for field in (
                "observedGeneration",
                "reason",
                "selector",
                "decidedBy",
                "desiredReplicas",
                "currentReplicas",
                "pods",
                "drain",
            )
        },
        "history": history,
        "conditions": [(c["type"], c["status"], c["reason"]) for c in status.get("conditions", ())],
    }


def worth_writing(old: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    """Return whether to write the new status: changes at once, figures at intervals, anything after the heartbeat."""
    if not old.get("lastDecisionTime") or _essence(old) != _essence(new):
        return True
    age = seconds(new["lastDecisionTime"]) - seconds(old["lastDecisionTime"])
    moved = old.get("connections") != new.get("connections")
    return age >= HEARTBEAT_SECONDS or (moved and age >= REFRESH_SECONDS)


# ── events
# ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class Notice:
    """Event to be created."""

    type: str
    reason: str
    message: str


_TELLING = {
    Reason.SCALING_UP: "Normal",
    Reason.SCALING_DOWN: "Normal",
    Reason.RETURNED: "Normal",
    Reason.ABORTED: "Warning",
    Reason.REBALANCING: "Normal",
    Reason.ADOPTED: "Normal",
}
_ALARMING = {"MetricsStale", "Conflict", "Paused"}


def _next_round(old: Mapping[str, Any], decision: Decision) -> bool:
    """Return whether this is one more round of rebalancing. Between two rounds the reason is another one."""
    if decision.reason is not Reason.REBALANCING:
        return False
    last = read_history(old).rebalanced
    return last is not None and 0 <= decision.at - last < REBALANCING_QUIET_SECONDS


def _is_new(old: Mapping[str, Any], new: Mapping[str, Any], decision: Decision) -> bool:
    """Return whether the decision has another reason than the last one, and is not one that fails again and again."""
    changed = old.get("reason") != new["reason"] == decision.reason.value
    return changed and not _next_round(old, decision)


def _other_failure(old: Mapping[str, Any], ready: Json) -> bool:
    """Return whether Ready is false for another reason than before."""
    return any(item["type"] == "Ready" and item["reason"] != ready["reason"] for item in old.get("conditions", ()))


def notices(old: Mapping[str, Any], new: Mapping[str, Any], decision: Decision | None) -> list[Notice]:
    """Return Events for what changed; never the same Event twice in a row."""
    made = []
    if decision is not None and decision.overtaken:
        made.append(Notice("Warning", Reason.ABORTED.value, decision.overtaken))
    if decision is not None and _is_new(old, new, decision):
        if decision.reason in _TELLING:
            made.append(Notice(_TELLING[decision.reason], decision.reason.value, decision.message))
        elif decision.drain and decision.drain.started == decision.at:
            made.append(Notice("Normal", "DrainStarted", decision.message))
    before = {item["type"]: item["status"] for item in old.get("conditions", ())}
    for item in new.get("conditions", ()):
        kind, status = item["type"], item["status"]
        if kind == "Ready" and status == "False" and (before.get(kind) != "False" or _other_failure(old, item)):
            if item["reason"] != "Conflict":  # the condition Conflict makes that Event
                made.append(Notice("Warning", item["reason"], item["message"]))
        elif kind in _ALARMING and status != before.get(kind, "False"):
            alarm = "Warning" if status == "True" and kind != "Paused" else "Normal"
            reason = kind if status == "True" else f"{kind}Over"
            made.append(Notice(alarm, reason, item["message"]))
    return made

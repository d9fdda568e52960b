"""Desired replicas: the recommendation within windows, rates and bounds, unless a freeze forbids it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hunarmitra_operator import demand, explain, hpa, memory, prediction, recommendation, schedule
from hunarmitra_operator.curve import Forecast
from hunarmitra_operator.model import Change, Context, Demand, History, Reason, Recommendation


@dataclass(frozen=True, slots=True)
class Desired:
    """Desired replicas, the reason, and the history that includes this recommendation.

    `current` is the number to start from: the replicas without those being drained. `limited` says what keeps the
    desired replicas from what the load needs, if anything does.
    """

    replicas: int
    current: int
    recommended: int
    bounds: hpa.Bounds
    reason: Reason
    text: str
    history: History
    limited: Reason | None = None
    demands: tuple[Demand, ...] = ()
    leading: Demand | None = None
    """The metric or the prediction that asks for most replicas; None if the connections do."""
    forecast: Forecast | None = None


def desired_replicas(context: Context, history: History, current: int) -> Desired:
    """Return the desired replicas at this moment. Freezes are applied; drains are not looked at."""
    desired = _from_load(context, history, current)
    if desired.replicas < current and (frozen := _frozen(context, desired)):
        reason, text = frozen
        return replace(desired, replicas=current, reason=reason, limited=reason, text=text)
    return desired


def _from_load(context: Context, history: History, current: int) -> Desired:
    spec, survey, now = context.spec, context.survey, context.now
    bounds, peak = schedule.bounds(spec, now)
    raw = recommendation.recommend(spec, survey, current, history, now)
    demands = demand.demands(spec, survey, current)
    predicted = prediction.forecast(context, history, current)
    asked = (*demands, *prediction.demand(spec, predicted))
    recommended, leading = (current, None) if raw is None else demand.largest(raw, asked)
    text = explain.steady(spec, survey, current, leading)
    desired = Desired(
        current,
        current,
        recommended,
        bounds,
        Reason.STEADY,
        text,
        history,
        demands=demands,
        leading=leading,
        forecast=predicted,
    )
    if current > bounds.high:
        text = explain.above_maximum(current, bounds)
        return replace(desired, replicas=bounds.high, reason=Reason.AT_MAXIMUM, limited=Reason.AT_MAXIMUM, text=text)
    if current < bounds.low:
        text = explain.below_minimum(current, bounds, peak)
        return replace(desired, replicas=bounds.low, reason=Reason.AT_MINIMUM, limited=Reason.AT_MINIMUM, text=text)
    if raw is None:
        return replace(desired, reason=Reason.NO_DATA, limited=Reason.NO_DATA, text=explain.NO_DATA)
    return _steered(context, desired, peak)


def _steered(context: Context, desired: Desired, peak: str) -> Desired:
    """Apply windows, rates and bounds to the recommendation, and add it to the history."""
    spec, survey, now = context.spec, context.survey, context.now
    current, raw, history = desired.current, desired.recommended, desired.history
    past = history.recommendations or (Recommendation(current, now),)
    window = max(spec.up.window, spec.down.window)
    history = replace(history, recommendations=memory.add_recommendation(past, raw, now, window))
    desired = replace(desired, history=history)
    if history.adopted is not None and now - history.adopted < spec.down.window:
        return _adopted(context, desired)

    stable = hpa.stabilize(past, now=now, current=current, desired=raw, up=spec.up.window, down=spec.down.window)
    replicas = _limited(context, desired, stable)
    desired = replace(desired, replicas=replicas)
    why = explain.load(spec, survey, current, raw, desired.leading)
    if replicas != stable:
        up = stable > current
        if replicas != (desired.bounds.high if up else desired.bounds.low):
            text = explain.rate_limited(why, replicas, spec.up if up else spec.down)
            return replace(desired, reason=Reason.RATE_LIMITED, limited=Reason.RATE_LIMITED, text=text)
        reason = Reason.AT_MAXIMUM if up else Reason.AT_MINIMUM
        text = explain.limited(why, desired.bounds, reason, peak)
        return replace(desired, reason=reason, limited=reason, text=text)
    if stable != raw:
        text = explain.stabilizing(why, spec, replicas, down=raw < current)
        return replace(desired, reason=Reason.STABILIZING, text=text)
    if replicas != current:
        return replace(desired, text=why)
    return desired


def _limited(context: Context, desired: Desired, stable: int) -> int:
    """Apply rates and bounds to `stable`. Returning drained pods to service is free, as they exist already."""
    spec, current, replicas = context.spec, desired.current, context.fleet.replicas
    changes = desired.history.changes
    if current < stable <= replicas:
        return min(stable, desired.bounds.high)
    drain = desired.history.drain
    if drain is not None and stable > replicas > current:
        changes, current = (*changes, Change(replicas - current, drain.started)), replicas
    return hpa.limit(
        current=current,
        desired=stable,
        bounds=desired.bounds,
        up=spec.up,
        down=spec.down,
        changes=changes,
        now=context.now,
    )


def _adopted(context: Context, desired: Desired) -> Desired:
    """Keep a number that somebody else set for one window, unless it cannot carry the load at all."""
    spec, survey, now = context.spec, context.survey, context.now
    needed = min(hpa.ceil_div(survey.total, spec.cap_per_pod), desired.bounds.high)
    replicas = max(desired.current, needed)
    left = spec.down.window - (now - (desired.history.adopted or now))
    text = explain.adopted(desired.current, desired.recommended, left, needed)
    limited = Reason.ADOPTED if replicas != desired.recommended else None
    return replace(desired, replicas=replicas, reason=Reason.ADOPTED, limited=limited, text=text)


def _frozen(context: Context, desired: Desired) -> tuple[Reason, str] | None:
    """Return why no pod may be removed now, or None."""
    spec, survey, now = context.spec, context.survey, context.now
    aborted = desired.history.drain_aborted
    goal = f"{explain.count(desired.replicas, 'replica')} would be enough, but "
    if stale := demand.stale(spec, survey):
        return Reason.STALE, goal + stale
    if not survey.readable:
        return Reason.NO_DATA, goal + explain.NO_DATA
    if context.fleet.rollout:
        return Reason.ROLLOUT, goal + explain.rollout(context.fleet)
    if survey.starting or survey.unready:
        return Reason.PODS_NOT_READY, goal + explain.not_ready(survey)
    if aborted is not None and 0 <= now - aborted < spec.drain_window:
        left = spec.drain_window - (now - aborted)
        return Reason.COOLING_DOWN, goal + f"a drain was aborted; the next may begin in {left:.0f} s"
    return None

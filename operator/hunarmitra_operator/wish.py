"""How many replicas are wanted: the recommendation within windows, rates and bounds, unless something forbids
it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hunarmitra_operator import explain, hpa, memory, recommendation, schedule
from hunarmitra_operator.model import Change, History, Reason, Recommendation, Scene


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted, why, and the history with this recommendation in it.

    `current` is what the wish starts from: the replicas without those being drained. `limited` says what kept
    it from being what the load asks for, if anything did."""

    want: int
    current: int
    recommended: int
    bounds: hpa.Bounds
    reason: Reason
    text: str
    history: History
    limited: Reason | None = None


def make(scene: Scene, history: History, current: int) -> Wish:
    """The wish for this moment; freezes are applied, drains are not looked at."""
    wish = _from_load(scene, history, current)
    if wish.want < current and (frozen := _frozen(scene, wish)):
        reason, text = frozen
        return replace(wish, want=current, reason=reason, limited=reason, text=text)
    return wish


def _from_load(scene: Scene, history: History, current: int) -> Wish:
    spec, survey, now = scene.spec, scene.seen, scene.now
    bounds, peak = schedule.bounds(spec, now)
    raw = recommendation.recommend(spec, survey, current, history, now)
    recommended = current if raw is None else raw
    wish = Wish(
        current, current, recommended, bounds, Reason.STEADY, explain.steady(spec, survey, current), history
    )
    if current > bounds.high:
        text = explain.above_maximum(current, bounds)
        return replace(wish, want=bounds.high, reason=Reason.AT_MAXIMUM, limited=Reason.AT_MAXIMUM, text=text)
    if current < bounds.low:
        text = explain.below_minimum(current, bounds, peak)
        return replace(wish, want=bounds.low, reason=Reason.AT_MINIMUM, limited=Reason.AT_MINIMUM, text=text)
    if raw is None:
        return replace(wish, reason=Reason.NO_DATA, limited=Reason.NO_DATA, text=explain.NO_DATA)
    return _steered(scene, wish, peak)


def _steered(scene: Scene, wish: Wish, peak: str) -> Wish:
    """The recommendation within windows, rates and bounds; and remembered."""
    spec, survey, now = scene.spec, scene.seen, scene.now
    current, raw, history = wish.current, wish.recommended, wish.history
    past = history.recommendations or (Recommendation(current, now),)
    window = max(spec.up.window, spec.down.window)
    history = replace(history, recommendations=memory.add_recommendation(past, raw, now, window))
    wish = replace(wish, history=history)
    if history.adopted is not None and now - history.adopted < spec.down.window:
        return _adopted(scene, wish)

    stable = hpa.stabilize(
        past, now=now, current=current, desired=raw, up=spec.up.window, down=spec.down.window
    )
    want = _limited(scene, wish, stable)
    wish = replace(wish, want=want)
    if want != stable:
        bound = Reason.AT_MAXIMUM if stable > current else Reason.AT_MINIMUM
        reason = bound if want in {wish.bounds.low, wish.bounds.high} else Reason.RATE_LIMITED
        text = explain.limited(scene, wish.bounds, (current, raw, want), reason, peak)
        return replace(wish, reason=reason, limited=reason, text=text)
    if stable != raw:
        text = explain.stabilizing(spec, survey, current, raw, want)
        return replace(wish, reason=Reason.STABILIZING, text=text)
    if want != current:
        return replace(wish, text=explain.load(spec, survey, current, raw))
    return wish


def _limited(scene: Scene, wish: Wish, stable: int) -> int:
    """`stable` within rates and bounds. Returning pods that are being drained is free: they are there."""
    spec, current, replicas = scene.spec, wish.current, scene.fleet.replicas
    changes = wish.history.changes
    if current < stable <= replicas:
        return min(stable, wish.bounds.high)
    drain = wish.history.drain
    if drain is not None and stable > replicas > current:
        changes, current = (*changes, Change(replicas - current, drain.started)), replicas
    return hpa.limit(
        current=current,
        desired=stable,
        bounds=wish.bounds,
        up=spec.up,
        down=spec.down,
        changes=changes,
        now=scene.now,
    )


def _adopted(scene: Scene, wish: Wish) -> Wish:
    """Somebody else's number stands for one window, unless it cannot carry the load at all."""
    spec, survey, now = scene.spec, scene.seen, scene.now
    needed = min(hpa.ceil_div(survey.total, spec.cap_per_pod), wish.bounds.high)
    want = max(wish.current, needed)
    left = spec.down.window - (now - (wish.history.adopted or now))
    text = explain.adopted(wish.current, wish.recommended, left, needed)
    limited = Reason.ADOPTED if want != wish.recommended else None
    return replace(wish, want=want, reason=Reason.ADOPTED, limited=limited, text=text)


def _frozen(scene: Scene, wish: Wish) -> tuple[Reason, str] | None:
    """Why no pod may be removed now, or None."""
    spec, survey, now = scene.spec, scene.seen, scene.now
    aborted = wish.history.drain_aborted
    goal = f"{wish.want} replicas would do, but "
    if survey.unreadable:
        return Reason.STALE, goal + explain.unreadable(spec, survey)
    if not survey.readable:
        return Reason.NO_DATA, goal + explain.NO_DATA
    if scene.fleet.rollout:
        return Reason.ROLLOUT, goal + explain.rollout(scene.fleet)
    if survey.starting or survey.unready:
        return Reason.PODS_NOT_READY, goal + explain.not_ready(survey)
    if aborted is not None and 0 <= now - aborted < spec.drain_window:
        left = spec.drain_window - (now - aborted)
        return Reason.COOLING_DOWN, goal + f"a drain was given up; the next may begin in {left:.0f} s"
    return None

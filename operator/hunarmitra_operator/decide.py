"""The decision: a total function of what is wanted, what was seen and what is remembered.

It knows no clock, no network and no framework, so a history can be replayed, and every rule can be tested on
thousands of generated fleets. Whoever carries a decision out stores its `history` first and hands it back
with the next call."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hunarmitra_operator import draining, explain, memory, rebalance, survey, victims, wish
from hunarmitra_operator.model import (
    Decision,
    Drain,
    Fleet,
    History,
    Reason,
    Samples,
    Scene,
    Shed,
    Spec,
    Victim,
)
from hunarmitra_operator.wish import Wish


@dataclass(frozen=True, slots=True)
class _Step:
    """What a decision changes; everything else in it is report."""

    reason: Reason
    text: str
    desired: int
    history: History
    scale_to: int | None = None
    drain: Drain | None = None
    release: tuple[Victim, ...] = ()
    shed: tuple[Shed, ...] = ()
    limited: Reason | None = None


def decide(spec: Spec, fleet: Fleet, samples: Samples, history: History, now: float) -> Decision:
    """Decide what to do at `now`. Never raises, and the same arguments always give the same decision."""
    history, foreign = memory.reconcile(history, fleet, now)
    drain = draining.carry_over(history.drain, fleet)
    seen = survey.take(fleet, samples, drain, now=now, max_age=spec.max_sample_age)
    scene = Scene(spec, fleet, seen, now)
    conflict = _conflict(fleet, history)
    recommended = fleet.replicas
    if hands_off := _hands_off(spec, fleet, conflict):
        reason, text = hands_off
        step = _let_go(scene, drain, _Step(reason, text, fleet.replicas, history))
    else:
        given_up = draining.reason_to_abort(scene, drain, foreign=foreign)
        current = fleet.replicas if given_up else draining.replicas_left(fleet, drain)
        wanted = wish.make(scene, history, current)
        recommended = wanted.recommended
        if spec.dry_run:
            step = _let_go(scene, drain, _rehearse(scene, wanted))
        elif given_up:
            step = _give_up(scene, drain, wanted, given_up)
        elif drain is not None and drain.scaled is None:
            step = _continue(scene, drain, wanted)
        else:
            step = _fresh(scene, drain, wanted)
    return Decision(
        at=now,
        reason=step.reason,
        message=step.text,
        connections=seen.total,
        current=fleet.replicas,
        recommended=recommended,
        desired=step.desired,
        history=replace(step.history, drain=step.drain),
        scale_to=step.scale_to,
        drain=step.drain,
        release=step.release,
        shed=step.shed,
        stale=tuple(pod.name for pod in seen.unreadable),
        limited=step.limited,
        conflict=conflict,
        ready=len(seen.capacity) + sum(pod.ready for pod in seen.unreadable),
        fullest=(seen.capacity[-1][1].name, seen.capacity[-1][0]) if seen.capacity else None,
        still=bool(hands_off or spec.dry_run or not spec.rebalance.enabled or _unsettled(scene)),
    )


def _unsettled(scene: Scene) -> bool:
    """Whether pods come, go or cannot be seen, so that no connection should be moved between them."""
    seen = scene.seen
    return bool(scene.fleet.rollout or seen.starting or seen.unready or seen.pending or seen.unreadable)


def _conflict(fleet: Fleet, history: History) -> str:
    if fleet.rivals:
        return f"{', '.join(fleet.rivals)} scales the same Deployment; only one of the two may"
    if len(history.foreign) >= 2:
        minutes = memory.FOREIGN_SECONDS // 60
        times = len(history.foreign)
        return f"somebody else changed the number of replicas {times} times within {minutes} minutes"
    return ""


def _hands_off(spec: Spec, fleet: Fleet, conflict: str) -> tuple[Reason, str] | None:
    if conflict:
        return Reason.CONFLICT, conflict
    if spec.paused:
        return Reason.PAUSED, "spec.paused is set"
    if fleet.replicas == 0:
        return (
            Reason.AT_ZERO,
            "the Deployment is scaled to zero; it is left alone until somebody scales it up",
        )
    return None


def _let_go(scene: Scene, drain: Drain | None, step: _Step) -> _Step:
    """The step, with everything that is being drained returned to service. Terminating pods are past that."""
    if drain is None:
        return step
    back = draining.lingering(scene.seen, drain)
    returned = len(drain.victims) if drain.scaled is None else 0
    changes = memory.add_change(step.history.changes, returned, scene.now, scene.spec, at=drain.started)
    history = replace(step.history, drain_ended=scene.now, drain_aborted=scene.now, changes=changes)
    return replace(step, history=history, release=back)


def _rehearse(scene: Scene, wanted: Wish) -> _Step:
    """A dry run: the wish in words, and nothing done."""
    text = f"dry run: {wanted.text}"
    if wanted.want > wanted.current:
        text += f"; would scale up to {wanted.want}"
    elif wanted.want < wanted.current:
        plan = victims.plan(scene.spec, scene.seen, wanted.current - wanted.want)
        text += f"; would drain {explain.names(plan.victims) or 'no pod: ' + plan.limit}"
    return _Step(Reason.DRY_RUN, text, wanted.want, wanted.history, limited=wanted.limited)


def _give_up(scene: Scene, drain: Drain | None, wanted: Wish, given_up: tuple[Reason, str]) -> _Step:
    """Return every victim to service; a wish for more replicas is carried out all the same."""
    reason, why = given_up
    text = f"gave the drain up, as {why}"
    step = _Step(Reason.ABORTED, text, wanted.current, wanted.history, limited=reason)
    step = _let_go(scene, drain, step)
    if wanted.want <= wanted.current:
        return step
    grown = _grow(scene, replace(wanted, history=step.history))
    return replace(grown, text=f"{text}; {grown.text}", release=step.release)


def _grow(scene: Scene, wanted: Wish) -> _Step:
    """Write a greater number of replicas."""
    now, by = scene.now, wanted.want - wanted.current
    changes = memory.add_change(wanted.history.changes, by, now, scene.spec)
    history = memory.intend(replace(wanted.history, changes=changes, grown=now), wanted.want, now)
    text = f"scaling up from {scene.fleet.replicas} to {wanted.want}: {wanted.text}"
    return _Step(Reason.SCALING_UP, text, wanted.want, history, scale_to=wanted.want, limited=wanted.limited)


def _continue(scene: Scene, drain: Drain, wanted: Wish) -> _Step:
    """A drain is going on: return victims that are needed after all, finish, or go on."""
    if wanted.want > wanted.current:
        return _return(scene, drain, wanted)
    if back := draining.back_in_service(scene.seen, drain, scene.spec, scene.now):
        return _drain_again(scene, drain, wanted, back)
    text = explain.draining(drain, scene.seen, scene.now)
    step = _Step(Reason.DRAINING, text, drain.target, wanted.history, drain=drain, limited=wanted.limited)
    if not draining.finished(scene.seen, drain, scene.now):
        return step
    if blocked := draining.blocked(scene.seen, drain):
        return replace(step, text=f"{text}; waiting, as {blocked}", limited=Reason.PODS_NOT_READY)
    text = (
        f"{explain.names(drain.victims)} drained; scaling down from {scene.fleet.replicas} to {drain.target}"
    )
    history = memory.intend(wanted.history, drain.target, scene.now)
    done = replace(drain, scaled=scene.now)
    return replace(
        step, reason=Reason.SCALING_DOWN, text=text, history=history, scale_to=drain.target, drain=done
    )


def _drain_again(scene: Scene, drain: Drain, wanted: Wish, back: tuple[Victim, ...]) -> _Step:
    """Victims serve again: whoever is on them gets a whole window to leave. The lease keeps its name, so that
    it is renewed on pods that still have it."""
    again = replace(drain, deadline=scene.now + scene.spec.drain_window)
    why = explain.back_in_service(scene.seen, back)
    text = f"{why}; draining again: {explain.draining(again, scene.seen, scene.now)}"
    return _Step(Reason.DRAINING, text, drain.target, wanted.history, drain=again, limited=Reason.LAPSED)


def _return(scene: Scene, drain: Drain, wanted: Wish) -> _Step:
    """Load came back: victims return to service first, the fullest of them, and only then pods are added."""
    missing = wanted.want - wanted.current
    back = draining.fullest_first(scene.seen, drain)[:missing]
    kept = tuple(victim for victim in drain.victims if victim not in back)
    changes = wanted.history.changes
    changes = memory.add_change(changes, len(back), scene.now, scene.spec, at=drain.started)
    history = replace(wanted.history, grown=scene.now, changes=changes)
    if not kept:
        history = replace(history, drain_ended=scene.now, drain_aborted=scene.now)
    text = f"returning {explain.names(back)} to service: {wanted.text}"
    if wanted.want > scene.fleet.replicas:
        grown = _grow(scene, replace(wanted, history=history, current=scene.fleet.replicas))
        return replace(grown, text=f"{text}; {grown.text}", release=back)
    rest = replace(drain, victims=kept, target=wanted.want) if kept else None
    history = replace(history, changes=changes)
    return _Step(
        Reason.RETURNED, text, wanted.want, history, drain=rest, release=back, limited=wanted.limited
    )


def _fresh(scene: Scene, drain: Drain | None, wanted: Wish) -> _Step:
    """Nothing is being drained, except victims that were scaled away and are about to terminate."""
    if drain is not None:
        waiting = draining.lingering(scene.seen, drain)
        over = scene.now - (drain.scaled or scene.now) > draining.TERMINATION_SECONDS
        if waiting and not over and wanted.want <= wanted.current:
            text = f"scaled down to {drain.target}; waiting for {explain.names(waiting)} to terminate"
            return _Step(
                Reason.WAITING, text, drain.target, wanted.history, drain=drain, limited=wanted.limited
            )
        ended = replace(wanted.history, drain_ended=scene.now)
        step = _fresh(scene, None, replace(wanted, history=ended))
        return replace(step, release=(*waiting, *step.release))
    if wanted.want > wanted.current:
        return _grow(scene, wanted)
    if wanted.want < wanted.current:
        return _begin_drain(scene, wanted)
    return _balance(scene, wanted)


def _begin_drain(scene: Scene, wanted: Wish) -> _Step:
    """Choose victims and begin to drain them."""
    spec, now = scene.spec, scene.now
    forced = max(0, wanted.current - wanted.bounds.high)
    plan = victims.plan(spec, scene.seen, wanted.current - wanted.want, forced=forced)
    if not plan.victims:
        text = f"{wanted.text}; but {plan.limit or 'no pod can be spared'}"
        full = Reason.SURVIVORS_FULL
        return _Step(full, text, wanted.current, wanted.history, limited=full)
    target = wanted.current - len(plan.victims)
    drain = Drain(draining.new_id(spec, now), target, plan.victims, now, now + spec.drain_window)
    changes = memory.add_change(wanted.history.changes, -len(plan.victims), now, spec)
    history = replace(wanted.history, changes=changes)
    text = explain.begin_drain(wanted.text, drain, plan.limit)
    return _Step(Reason.DRAINING, text, target, history, drain=drain, limited=wanted.limited)


def _balance(scene: Scene, wanted: Wish) -> _Step:
    """Replicas are as wanted: see whether connections should move between them."""
    spec, seen, now = scene.spec, scene.seen, scene.now
    step = _Step(wanted.reason, wanted.text, wanted.want, wanted.history, limited=wanted.limited)
    if seen.unreadable:
        if step.reason not in {Reason.STEADY, Reason.STABILIZING}:
            return step
        frozen = f"{wanted.text}; {explain.unreadable(spec, seen)}, so nothing is removed or moved"
        return replace(step, reason=Reason.STALE, text=frozen)
    rules = spec.rebalance
    if not rules.enabled or _unsettled(scene):
        return step
    last = max(wanted.history.shed or 0.0, wanted.history.drain_ended or 0.0)
    # If pods are about to be removed and none is crowded, clients would be moved twice for nothing.
    crowded = any(load > spec.target_per_pod for load, _ in seen.capacity[-1:])
    shrinking = wanted.recommended < wanted.current and not crowded
    if shrinking or 0 <= now - last < rules.cooldown:
        return step
    sheds = rebalance.plan(rules, seen, spec.reconnects_per_second * rules.cooldown)
    if not sheds:
        return step
    text = explain.shedding(spec, seen, sheds)
    history = replace(wanted.history, shed=now)
    return replace(step, reason=Reason.REBALANCING, text=text, shed=sheds, history=history)

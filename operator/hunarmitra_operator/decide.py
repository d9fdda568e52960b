"""The decision: a total function of the spec, the observed fleet and the history.

It uses no clock, no network and no framework. So a history can be replayed, and every rule can be tested on thousands
of generated fleets. The caller stores the `history` of a decision before it carries the decision out, and passes it to
the next call.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from hunarmitra_operator import demand, draining, explain, memory, prediction, rebalance, survey, victims
from hunarmitra_operator.desired import Desired, desired_replicas
from hunarmitra_operator.model import (
    Context,
    Decision,
    Drain,
    Fleet,
    History,
    Move,
    Reason,
    Samples,
    Spec,
    Victim,
)


@dataclass(frozen=True, slots=True)
class _Step:
    """What a decision changes; every other field of a decision is for reporting."""

    reason: Reason
    text: str
    desired: int
    history: History
    scale_to: int | None = None
    drain: Drain | None = None
    release: tuple[Victim, ...] = ()
    moves: tuple[Move, ...] = ()
    limited: Reason | None = None


def decide(spec: Spec, fleet: Fleet, samples: Samples, history: History, now: float) -> Decision:
    """Decide what to do at `now`.

    Never raises. The same arguments always give the same decision.
    """
    history, foreign = memory.reconcile(history, fleet, now)
    drain = draining.carry_over(history.drain, fleet)
    overtaken = ""
    if drain is None and history.drain is not None and history.drain.scaled is None:
        overtaken = explain.overtaken(history.drain)
        history = _forget_drain(spec, history, history.drain, now)
    seen = survey.take(fleet, samples, drain, now=now, max_age=spec.max_sample_age)
    history = prediction.remember(spec, seen, history, now)
    context = Context(spec, fleet, seen, now)
    conflict = _conflict(fleet, history)
    recommended = fleet.replicas
    desired: Desired | None = None
    if suspended := _suspended(spec, fleet, conflict):
        reason, text = suspended
        step = _release_all(context, drain, _Step(reason, text, fleet.replicas, history))
    else:
        aborted = draining.reason_to_abort(context, drain, foreign=foreign)
        current = fleet.replicas if aborted else draining.replicas_left(fleet, drain)
        desired = desired_replicas(context, history, current)
        recommended = desired.recommended
        if spec.dry_run:
            step = _release_all(context, drain, _rehearse(context, desired))
        elif aborted:
            step = _abort(context, drain, desired, aborted)
        elif drain is not None and drain.scaled is None:
            step = _continue(context, drain, desired)
        else:
            step = _fresh(context, drain, desired)
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
        moves=step.moves,
        stale=tuple(pod.name for pod in seen.unreadable),
        limited=step.limited,
        demands=desired.demands if desired else (),
        decided_by=demand.name(desired.leading if desired else None),
        forecast=desired.forecast if desired else None,
        missing=demand.missing(spec, seen),
        conflict=conflict,
        ready=len(seen.capacity) + sum(pod.ready for pod in seen.unreadable),
        overtaken=overtaken,
        fullest=(seen.capacity[-1][1].name, seen.capacity[-1][0]) if seen.capacity else None,
        still=bool(suspended or spec.dry_run or not spec.rebalance.enabled or _unsettled(context)),
    )


def _forget_drain(spec: Spec, history: History, drain: Drain, now: float) -> History:
    """Return the history without a drain that removed nothing: the change that it had entered is taken back."""
    changes = memory.add_change(history.changes, len(drain.victims), now, spec, at=drain.started)
    return replace(history, drain=None, drain_ended=now, drain_aborted=now, changes=changes)


def _unsettled(context: Context) -> bool:
    """Return whether pods start, stop or cannot be read, so that no connection should be moved between them."""
    seen = context.survey
    return bool(context.fleet.rollout or seen.starting or seen.unready or seen.pending or seen.unreadable)


def _conflict(fleet: Fleet, history: History) -> str:
    if fleet.autoscalers:
        return explain.conflict(fleet)
    if len(history.foreign) >= 2:
        minutes = memory.FOREIGN_SECONDS // 60
        times = len(history.foreign)
        return f"the number of replicas was changed by somebody else {times} times within {minutes} minutes"
    return ""


def _suspended(spec: Spec, fleet: Fleet, conflict: str) -> tuple[Reason, str] | None:
    if conflict:
        return Reason.CONFLICT, conflict
    if spec.paused:
        return Reason.PAUSED, "spec.paused is set"
    if fleet.replicas == 0:
        return (
            Reason.AT_ZERO,
            f"the {spec.kind} is scaled to zero; scale it up by hand to resume",
        )
    return None


def _release_all(context: Context, drain: Drain | None, step: _Step) -> _Step:
    """Return the step with all drained pods returned to service, except those that are terminating."""
    if drain is None:
        return step
    back = draining.lingering(context.survey, drain)
    returned = len(drain.victims) if drain.scaled is None else 0
    changes = memory.add_change(step.history.changes, returned, context.now, context.spec, at=drain.started)
    history = replace(step.history, drain_ended=context.now, drain_aborted=context.now, changes=changes)
    return replace(step, history=history, release=back)


def _rehearse(context: Context, desired: Desired) -> _Step:
    """Return the step of a dry run: the desired replicas in words, without an action."""
    text = f"dry run: {desired.text}"
    if desired.replicas > desired.current:
        text += f"; would scale up to {desired.replicas}"
    elif desired.replicas < desired.current:
        plan = victims.plan(
            context.spec,
            context.survey,
            desired.current - desired.replicas,
            ordinals=context.fleet.ordinals,
        )
        text += f"; would drain {explain.names(plan.victims) or 'no pod: ' + plan.limit}"
    return _Step(Reason.DRY_RUN, text, desired.replicas, desired.history, limited=desired.limited)


def _abort(context: Context, drain: Drain | None, desired: Desired, aborted: tuple[Reason, str]) -> _Step:
    """Return every victim to service. Scaling up is carried out nevertheless."""
    reason, why = aborted
    text = f"aborted the drain: {why}"
    step = _Step(Reason.ABORTED, text, desired.current, desired.history, limited=reason)
    step = _release_all(context, drain, step)
    if desired.replicas <= desired.current:
        return step
    grown = _grow(context, replace(desired, history=step.history))
    return replace(grown, text=f"{text}; {grown.text}", release=step.release)


def _grow(context: Context, desired: Desired) -> _Step:
    """Write a greater number of replicas."""
    now, by = context.now, desired.replicas - desired.current
    changes = memory.add_change(desired.history.changes, by, now, context.spec)
    history = memory.intend(replace(desired.history, changes=changes, grown=now), desired.replicas, now)
    text = f"scaling up from {context.fleet.replicas} to {desired.replicas}: {desired.text}"
    return _Step(Reason.SCALING_UP, text, desired.replicas, history, scale_to=desired.replicas, limited=desired.limited)


def _continue(context: Context, drain: Drain, desired: Desired) -> _Step:
    """Continue a drain: return victims that are needed, finish, or renew."""
    if desired.replicas > desired.current:
        return _return(context, drain, desired)
    if back := draining.back_in_service(context.survey, drain, context.spec, context.now):
        return _drain_again(context, drain, desired, back)
    text = explain.draining(drain, context.survey, context.now)
    step = _Step(Reason.DRAINING, text, drain.target, desired.history, drain=drain, limited=desired.limited)
    if not draining.finished(context.survey, drain, context.now):
        return step
    if blocked := draining.blocked(context.survey, drain):
        return replace(step, text=f"{text}; waiting: {blocked}", limited=Reason.PODS_NOT_READY)
    text = f"{explain.names(drain.victims)} drained; scaling down from {context.fleet.replicas} to {drain.target}"
    history = memory.intend(desired.history, drain.target, context.now)
    done = replace(drain, scaled=context.now)
    return replace(step, reason=Reason.SCALING_DOWN, text=text, history=history, scale_to=drain.target, drain=done)


def _drain_again(context: Context, drain: Drain, desired: Desired, back: tuple[Victim, ...]) -> _Step:
    """Drain victims that are back in service, with a whole window for the clients on them.

    The lease keeps its name, so that it is renewed on pods that still have it.
    """
    again = replace(drain, deadline=context.now + context.spec.drain_window)
    why = explain.back_in_service(context.survey, back)
    text = f"{why}; draining again: {explain.draining(again, context.survey, context.now)}"
    return _Step(Reason.DRAINING, text, drain.target, desired.history, drain=again, limited=Reason.LAPSED)


def _return(context: Context, drain: Drain, desired: Desired) -> _Step:
    """Return victims to service as load came back; add pods only after that."""
    missing = desired.replicas - desired.current
    back = draining.first_back(context, drain)[:missing]
    returned = {victim.uid for victim in back}
    kept = tuple(victim for victim in drain.victims if victim.uid not in returned)
    changes = desired.history.changes
    changes = memory.add_change(changes, len(back), context.now, context.spec, at=drain.started)
    history = replace(desired.history, grown=context.now, changes=changes)
    if not kept:
        history = replace(history, drain_ended=context.now, drain_aborted=context.now)
    text = f"returning {explain.names(back)} to service: {desired.text}"
    if desired.replicas > context.fleet.replicas:
        grown = _grow(context, replace(desired, history=history, current=context.fleet.replicas))
        return replace(grown, text=f"{text}; {grown.text}", release=back)
    rest = replace(drain, victims=kept, target=desired.replicas) if kept else None
    history = replace(history, changes=changes)
    return _Step(Reason.RETURNED, text, desired.replicas, history, drain=rest, release=back, limited=desired.limited)


def _fresh(context: Context, drain: Drain | None, desired: Desired) -> _Step:
    """Decide without an active drain. Victims that were scaled away may still be about to terminate."""
    if drain is not None:
        waiting = draining.lingering(context.survey, drain)
        over = context.now - (drain.scaled or context.now) > draining.TERMINATION_SECONDS
        if waiting and not over and desired.replicas <= desired.current:
            text = f"scaled down to {drain.target}; waiting for {explain.names(waiting)} to terminate"
            return _Step(Reason.WAITING, text, drain.target, desired.history, drain=drain, limited=desired.limited)
        ended = replace(desired.history, drain_ended=context.now)
        step = _fresh(context, None, replace(desired, history=ended))
        return replace(step, release=(*waiting, *step.release))
    if desired.replicas > desired.current:
        return _grow(context, desired)
    if desired.replicas < desired.current:
        return _begin_drain(context, desired)
    return _balance(context, desired)


def _begin_drain(context: Context, desired: Desired) -> _Step:
    """Choose victims and begin to drain them."""
    spec, now = context.spec, context.now
    forced = max(0, desired.current - desired.bounds.high)
    plan = victims.plan(
        spec, context.survey, desired.current - desired.replicas, forced=forced, ordinals=context.fleet.ordinals
    )
    if not plan.victims:
        text = f"{desired.text}; but {plan.limit or 'no pod can be spared'}"
        full = Reason.SURVIVORS_FULL
        return _Step(full, text, desired.current, desired.history, limited=full)
    target = desired.current - len(plan.victims)
    drain = Drain(draining.new_id(spec, now), target, plan.victims, now, now + spec.drain_window)
    changes = memory.add_change(desired.history.changes, -len(plan.victims), now, spec)
    history = replace(desired.history, changes=changes)
    text = explain.begin_drain(desired.text, drain, plan.limit, ordinals=context.fleet.ordinals is not None)
    return _Step(Reason.DRAINING, text, target, history, drain=drain, limited=desired.limited)


def _balance(context: Context, desired: Desired) -> _Step:
    """Decide whether connections should move between pods. The number of replicas is as desired."""
    spec, seen, now = context.spec, context.survey, context.now
    step = _Step(desired.reason, desired.text, desired.replicas, desired.history, limited=desired.limited)
    if seen.unreadable:
        if step.reason not in {Reason.STEADY, Reason.STABILIZING}:
            return step
        frozen = f"{desired.text}; {explain.unreadable(spec, seen)}, so nothing is removed or moved"
        return replace(step, reason=Reason.STALE, text=frozen)
    rules = spec.rebalance
    if not rules.enabled or _unsettled(context):
        return step
    last = max(desired.history.rebalanced or 0.0, desired.history.drain_ended or 0.0)
    # Pods are about to be removed and none is crowded: moving clients now would move them twice.
    crowded = any(load > spec.target_per_pod for load, _ in seen.capacity[-1:])
    shrinking = desired.recommended < desired.current and not crowded
    if shrinking or 0 <= now - last < rules.cooldown:
        return step
    moves = rebalance.plan(rules, seen, spec.reconnects_per_second * rules.cooldown)
    if not moves:
        return step
    text = explain.rebalancing(spec, seen, moves)
    history = replace(desired.history, rebalanced=now)
    return replace(step, reason=Reason.REBALANCING, text=text, moves=moves, history=history)

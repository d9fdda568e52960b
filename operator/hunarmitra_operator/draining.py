"""The life of a drain, from the choice of victims to their termination.

1. The victims, the target and the deadline are stored in status. Then all victims become not ready and get the lowest
  deletion cost, before any of their connections is closed.
2. When all victims are empty, or at the deadline, the number of replicas is lowered by their number.
3. A victim that is not terminating some time later is returned to service.

A victim whose lease lapsed serves clients again. It is drained again with a whole window, and nothing is removed
meanwhile.

Drained pods still count in their ReplicaSet, so nothing replaces them meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from hunarmitra_operator import demand, explain
from hunarmitra_operator.model import Context, Drain, Fleet, Ordinals, Pod, Reason, Spec, Survey, Victim, ordinal

TERMINATION_SECONDS = 30.0
"""How long a victim may take to become terminating after the scale-down. The ReplicaSet controller needs well under one
second.
"""
DRAIN_WINDOWS = 3
"""For how many windows a drain begins again when victims come back into service.

What returned them would do it again after that; other victims, chosen from the pods at that time, have a better chance.
"""


def new_id(spec: Spec, now: float) -> str:
    """Return the name of a new lease. One resource begins at most one drain per decision."""
    return f"{spec.target}-{round(now * 1000):x}"


def carry_over(drain: Drain | None, fleet: Fleet) -> Drain | None:
    """Return the drain as it stands now: without victims that are gone, and not scaled if the number was not written.

    None when no victim is left.
    """
    if drain is None:
        return None
    if drain.scaled is not None and fleet.replicas == drain.target:
        return drain
    living = {pod.uid for pod in fleet.pods if not pod.terminating}
    victims = tuple(victim for victim in drain.victims if victim.uid in living)
    if not victims:
        return None
    return replace(drain, victims=victims, target=max(0, fleet.replicas - len(victims)), scaled=None)


def replicas_left(fleet: Fleet, drain: Drain | None) -> int:
    """Return the replicas without those being drained: the number from which the desired replicas are computed."""
    return fleet.replicas if drain is None or drain.scaled is not None else drain.target


def reason_to_abort(context: Context, drain: Drain | None, *, foreign: bool) -> tuple[Reason, str] | None:
    """Return why the drain must be aborted, or None. A drain that was scaled already is never aborted."""
    spec, fleet, survey = context.spec, context.fleet, context.survey
    if drain is None or drain.scaled is not None:
        return None
    if foreign:
        return Reason.ADOPTED, f"somebody else set the number of replicas to {fleet.replicas}"
    if stale := demand.stale(spec, survey):
        return Reason.STALE, stale
    if fleet.rollout:
        return Reason.ROLLOUT, explain.rollout(fleet)
    if fleet.ordinals is not None and (spared := _not_highest(fleet.ordinals, drain)):
        return Reason.PODS_NOT_READY, spared
    return _overdue(context, drain)


def _not_highest(ordinals: Ordinals, drain: Drain) -> str:
    """Return why the StatefulSet would now remove a pod that is not a victim, or an empty string."""
    drained = {ordinal(victim.name) for victim in drain.victims}
    for number in range(ordinals.highest, ordinals.highest - len(drain.victims), -1):
        if number not in drained:
            return f"the StatefulSet would remove the pod with ordinal {number}, which is not drained or was replaced"
    return ""


def _overdue(context: Context, drain: Drain) -> tuple[Reason, str] | None:
    """Return why a drain takes too long, or None if it does not."""
    spec, survey = context.spec, context.survey
    back = back_in_service(survey, drain, spec, context.now)
    if back and context.now > drain.started + DRAIN_WINDOWS * spec.drain_window:
        return Reason.LAPSED, explain.back_in_service(survey, back)
    if context.now > drain.deadline + spec.drain_window:
        return (
            Reason.PODS_NOT_READY,
            f"it could not finish in time: {blocked(survey, drain) or 'the deadline is long past'}",
        )
    return None


def back_in_service(survey: Survey, drain: Drain, spec: Spec, now: float) -> tuple[Victim, ...]:
    """Return the victims that are ready and carry clients although they should be drained by now.

    Their lease was not renewed in time, or their container restarted. No lease ends earlier than its own length after
    the beginning, and until then Kubernetes may not have noticed that the pod is drained. At the deadline a serving
    victim is never removed, however long the lease is.
    """
    if now - drain.started < min(spec.lease, drain.deadline - drain.started):
        return ()
    pods = survey.draining
    return tuple(v for v in drain.victims if v.uid in pods and _serves(*pods[v.uid]))


def _serves(known: int | None, pod: Pod) -> bool:
    return bool(known) and pod.ready and not pod.terminating and not pod.pending


def _gone_quiet(known: int | None, pod: Pod) -> bool:
    """Return whether a victim has no connection and gets no new ones."""
    return pod.terminating or pod.pending or (known == 0 and not pod.ready)


def finished(survey: Survey, drain: Drain, now: float) -> bool:
    """Return whether the victims are empty and not ready, or the deadline is reached."""
    return now >= drain.deadline or all(_gone_quiet(known, pod) for known, pod in survey.draining.values())


def blocked(survey: Survey, drain: Drain) -> str:
    """Return why lowering the number now could remove a pod that is not a victim, or an empty string.

    Kubernetes removes pods that are pending or not ready before it looks at deletion costs. Other pending pods do no
    harm while all victims are pending too.
    """
    if survey.starting or survey.unready:
        return explain.not_ready(survey)
    if survey.pending and not all(pod.pending for _, pod in survey.draining.values()):
        return explain.not_ready(survey)
    return ""


def first_back(context: Context, drain: Drain) -> tuple[Victim, ...]:
    """Return the victims in the order in which they return to service.

    The fullest is the first: that moves the fewest clients. In a StatefulSet the lowest ordinal is the first, because
    the rest must be the highest ordinals.
    """
    if context.fleet.ordinals is not None:
        return tuple(sorted(drain.victims, key=lambda victim: ordinal(victim.name)))
    survey = context.survey

    def left(victim: Victim) -> tuple[int, str]:
        known, _ = survey.draining.get(victim.uid, (None, None))
        return -(known or 0), victim.uid

    return tuple(sorted(drain.victims, key=left))


def lingering(survey: Survey, drain: Drain) -> tuple[Victim, ...]:
    """Return the victims that exist and are not terminating."""
    pods = survey.draining
    return tuple(v for v in drain.victims if v.uid in pods and not pods[v.uid][1].terminating)

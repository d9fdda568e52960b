"""The life of a drain, from the choice of victims to their termination.

1. The victims, the target and the deadline are stored in status; then all victims turn not-ready and get the
   lowest deletion cost, before any of their connections is closed.
2. When all are empty, or at the deadline, the number of replicas is lowered by theirs.
3. A victim that is not terminating some time after that is returned to service.

A victim whose lease lapsed serves people again: it is drained again with a whole window before it, and
nothing is removed meanwhile.

The drained pods still count in their ReplicaSet, so nothing replaces them meanwhile.
"""

from __future__ import annotations

from dataclasses import replace

from hunarmitra_operator import explain
from hunarmitra_operator.model import Drain, Fleet, Pod, Reason, Scene, Spec, Survey, Victim

TERMINATION_SECONDS = 30.0
"""How long after the scale-down a victim may take to be terminating. The ReplicaSet controller needs well
under one."""
DRAIN_WINDOWS = 3
"""For how many windows a drain is begun again when victims come back into service. Whatever returns them
after that would do it again; other victims, chosen from what is there, have the better chance."""


def new_id(spec: Spec, now: float) -> str:
    """A name for the lease: one resource begins at most one drain per decision."""
    return f"{spec.target}-{round(now * 1000):x}"


def carry_over(drain: Drain | None, fleet: Fleet) -> Drain | None:
    """The drain as it stands now: without victims that are gone, and not scaled if the number was never
    written.

    None when nothing of it is left.
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
    """The replicas without those being drained; what every wish starts from."""
    return fleet.replicas if drain is None or drain.scaled is not None else drain.target


def reason_to_abort(scene: Scene, drain: Drain | None, *, foreign: bool) -> tuple[Reason, str] | None:
    """Why the drain has to be given up, or None. One that was scaled already is past that."""
    spec, fleet, survey = scene.spec, scene.fleet, scene.seen
    if drain is None or drain.scaled is not None:
        return None
    if foreign:
        return Reason.ADOPTED, f"somebody else set {fleet.replicas} replicas"
    if survey.unreadable:
        return Reason.STALE, explain.unreadable(spec, survey)
    if fleet.rollout:
        return Reason.ROLLOUT, explain.rollout(fleet)
    return _overdue(scene, drain)


def _overdue(scene: Scene, drain: Drain) -> tuple[Reason, str] | None:
    """Why a drain that has taken too long did so, or None if it has not."""
    spec, survey = scene.spec, scene.seen
    back = back_in_service(survey, drain, spec, scene.now)
    if back and scene.now > drain.started + DRAIN_WINDOWS * spec.drain_window:
        return Reason.LAPSED, explain.back_in_service(survey, back)
    if scene.now > drain.deadline + spec.drain_window:
        return (
            Reason.PODS_NOT_READY,
            f"it could not finish: {blocked(survey, drain) or 'the deadline is long past'}",
        )
    return None


def back_in_service(survey: Survey, drain: Drain, spec: Spec, now: float) -> tuple[Victim, ...]:
    """Victims that are ready and carry people, although they were told to drain long enough ago not to be:
    their lease was not renewed in time, or their container is a new one.

    No lease ends sooner after the beginning than its own length, and until then Kubernetes may not have
    noticed that the pod is drained. At the deadline none is removed that serves, however long the lease
    is."""
    if now - drain.started < min(spec.lease, drain.deadline - drain.started):
        return ()
    pods = survey.draining
    return tuple(v for v in drain.victims if v.uid in pods and _serves(*pods[v.uid]))


def _serves(known: int | None, pod: Pod) -> bool:
    return bool(known) and pod.ready and not pod.terminating and not pod.pending


def _gone_quiet(known: int | None, pod: Pod) -> bool:
    """Nobody is on it, and nobody new comes."""
    return pod.terminating or pod.pending or (known == 0 and not pod.ready)


def finished(survey: Survey, drain: Drain, now: float) -> bool:
    """Whether the victims are empty and out of rotation, or the deadline is reached."""
    return now >= drain.deadline or all(_gone_quiet(known, pod) for known, pod in survey.draining.values())


def blocked(survey: Survey, drain: Drain) -> str:
    """Why lowering the number now could remove a pod that is not a victim, or an empty string.

    Kubernetes removes pods that are pending or not ready before it looks at deletion costs. Other pending
    pods do no harm while all victims are pending too: one is as good as the other."""
    if survey.starting or survey.unready:
        return explain.not_ready(survey)
    if survey.pending and not all(pod.pending for _, pod in survey.draining.values()):
        return explain.not_ready(survey)
    return ""


def fullest_first(survey: Survey, drain: Drain) -> tuple[Victim, ...]:
    """Victims by the connections they still have: returning the fullest moves the fewest clients."""

    def left(victim: Victim) -> tuple[int, str]:
        known, _ = survey.draining.get(victim.uid, (None, None))
        return -(known or 0), victim.uid

    return tuple(sorted(drain.victims, key=left))


def lingering(survey: Survey, drain: Drain) -> tuple[Victim, ...]:
    """Victims that exist and are not terminating."""
    pods = survey.draining
    return tuple(v for v in drain.victims if v.uid in pods and not pods[v.uid][1].terminating)

"""Says in a sentence why a decision is what it is, with the figures that led to it."""

from __future__ import annotations

from collections.abc import Iterable

from hunarmitra_operator.hpa import Bounds, ceil_div
from hunarmitra_operator.model import Drain, Fleet, Pod, Reason, Scene, Shed, Spec, Survey, Victim

NO_DATA = "no pod could be read; nothing is changed"


def count(number: int, noun: str) -> str:
    """The number with the noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def names(items: Iterable[Pod | Victim | Shed], limit: int = 3) -> str:
    """The first few names, and how many more there are."""
    listed = [item.name for item in items]
    more = f" and {len(listed) - limit} more" if len(listed) > limit else ""
    return ", ".join(listed[:limit]) + more


def _load(spec: Spec, survey: Survey, current: int) -> str:
    average = survey.total / current if current else 0.0
    estimate = f" ({survey.unread_total:,} of them estimated)" if survey.unread_total else ""
    return (
        f"{count(survey.total, 'connection')}{estimate} on {count(current, 'replica')}, "
        f"{average:,.0f} each of a target of {spec.target_per_pod:,}"
    )


def steady(spec: Spec, survey: Survey, current: int) -> str:
    """Nothing to do."""
    return f"{_load(spec, survey, current)}: nothing to change"


def load(spec: Spec, survey: Survey, current: int, raw: int) -> str:
    """The load asks for another number."""
    by_load = ceil_div(survey.total, spec.target_per_pod)
    text = f"{_load(spec, survey, current)}: {count(raw, 'replica')} needed"
    if raw > by_load and survey.capacity:
        fullest, pod = survey.capacity[-1]
        text += f", as {pod.name} carries {fullest:,} of at most {spec.cap_per_pod:,}"
    return text


def stabilizing(spec: Spec, survey: Survey, current: int, raw: int, want: int) -> str:
    """The load asks for another number, but not for long enough."""
    text = load(spec, survey, current, raw)
    if raw < current:
        return f"{text}, but up to {want} were recommended within the last {spec.down.window} s"
    return f"{text}, but as few as {want} were recommended within the last {spec.up.window} s"


def limited(scene: Scene, bounds: Bounds, figures: tuple[int, int, int], reason: Reason, peak: str) -> str:
    """The load asks for more or less than is allowed. The figures are: current, recommended, wanted."""
    current, raw, want = figures
    text = load(scene.spec, scene.seen, current, raw)
    if reason is Reason.RATE_LIMITED:
        return f"{text}; the policies allow {want} now"
    if reason is Reason.AT_MAXIMUM:
        return f"{text}; maxReplicas allows {bounds.high}"
    return f"{text}; {_minimum(bounds, peak)}"


def _minimum(bounds: Bounds, peak: str) -> str:
    return f"the schedule {peak!r} keeps {bounds.low}" if peak else f"minReplicas keeps {bounds.low}"


def above_maximum(current: int, bounds: Bounds) -> str:
    """More replicas than allowed."""
    return f"{current} replicas are more than maxReplicas allows, {bounds.high}"


def below_minimum(current: int, bounds: Bounds, peak: str) -> str:
    """Fewer replicas than allowed."""
    return f"{current} replicas are too few: {_minimum(bounds, peak)}"


def adopted(current: int, raw: int, left: float, needed: int) -> str:
    """Somebody else set the number of replicas."""
    text = f"somebody else set {current} replicas, left so for {left:.0f} s more (the load asks for {raw})"
    return f"{text}; at least {needed} are needed to stay below the cap" if needed > current else text


def unreadable(spec: Spec, survey: Survey) -> str:
    """Pods cannot be read."""
    pods = survey.unreadable
    verb = "was" if len(pods) == 1 else "were"
    return f"{count(len(pods), 'pod')} {verb} not readable for {spec.max_sample_age} s: {names(pods)}"


def not_ready(survey: Survey) -> str:
    """Pods are not ready."""
    pods = (*survey.starting, *survey.unready, *survey.pending)
    verb = "is" if len(pods) == 1 else "are"
    return f"{count(len(pods), 'pod')} {verb} not ready: {names(pods)}"


def rollout(fleet: Fleet) -> str:
    """A rollout is going on."""
    return f"a rollout is in progress ({fleet.rollout})"


def draining(drain: Drain, survey: Survey, now: float) -> str:
    """A drain goes on."""
    left = sum(known or 0 for known, _ in survey.draining.values())
    began = sum(victim.connections for victim in drain.victims)
    pods, replicas = count(len(drain.victims), "pod"), count(drain.target, "replica")
    remaining = max(0.0, drain.deadline - now)
    return (
        f"draining {pods} to come to {replicas}: {names(drain.victims)}; "
        f"{left:,} of {began:,} connections left, {remaining:.0f} s to the deadline"
    )


def back_in_service(survey: Survey, back: tuple[Victim, ...]) -> str:
    """Victims serve again."""
    left = sum(survey.draining[victim.uid][0] or 0 for victim in back)
    verb = "is" if len(back) == 1 else "are"
    return f"{names(back)} {verb} back in service with {count(left, 'connection')}, as the drain lapsed"


def begin_drain(why: str, drain: Drain, limit: str) -> str:
    """A drain begins."""
    moved = sum(victim.connections for victim in drain.victims)
    pods = count(len(drain.victims), "pod")
    text = f"{why}; draining the emptiest {pods}, {count(moved, 'connection')} in all"
    return f"{text} ({limit})" if limit else text


def shedding(spec: Spec, survey: Survey, sheds: tuple[Shed, ...]) -> str:
    """A round of rebalancing."""
    fullest = survey.capacity[-1][0]
    average = ceil_div(sum(item for item, _ in survey.capacity), len(survey.capacity))
    moved = count(sum(shed.connections for shed in sheds), "connection")
    rate = f"{spec.reconnects_per_second} reconnects per second"
    return (
        f"the fullest pod carries {fullest:,}, the average is {average:,}: "
        f"moving {moved} off {names(sheds)}, within {rate}"
    )

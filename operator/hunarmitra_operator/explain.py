"""Explains a decision in a sentence, with the figures that led to it."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from hunarmitra_operator.curve import Forecast
from hunarmitra_operator.hpa import Bounds, ceil_div
from hunarmitra_operator.model import (
    Demand,
    Drain,
    Fleet,
    Move,
    Pod,
    Policy,
    PolicyType,
    Reason,
    Rules,
    Select,
    Spec,
    Survey,
    Victim,
)

NO_DATA = "no pod could be read, so nothing changes"


def count(number: int, noun: str) -> str:
    """Return the number with the noun in the right form."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _is(number: int) -> str:
    return "is" if number == 1 else "are"


def names(items: Iterable[Pod | Victim | Move], limit: int = 3) -> str:
    """Return the first few names and the number of the others."""
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


def _average(demand: Demand) -> str:
    if demand.words:
        return demand.words
    average = 0.0 if demand.average is None else demand.average
    return f"{demand.metric} is {average:,.{0 if average >= 10 else 1}f} on average of a target of {demand.target:,}"


def predicted(forecast: Forecast, zone: ZoneInfo) -> str:
    """Explain a prediction."""
    at = datetime.fromtimestamp(forecast.at, zone)
    return f"last week had {count(forecast.connections, 'connection')} at {at:%H:%M} ({zone.key})"


def unreported(metric: str, pods: tuple[Pod, ...]) -> str:
    """Explain that pods do not report a metric."""
    verb = "does" if len(pods) == 1 else "do"
    return f"{names(pods)} {verb} not report {metric}"


def steady(spec: Spec, survey: Survey, current: int, leading: Demand | None = None) -> str:
    """Explain that nothing has to change. `leading` is the metric that decides, if that is not the connections."""
    also = f"; {_average(leading)}" if leading else ""
    return f"{_load(spec, survey, current)}{also}: nothing to do"


def load(spec: Spec, survey: Survey, current: int, raw: int, leading: Demand | None = None) -> str:
    """Explain that the load needs another number of replicas. `leading` is as in `steady`."""
    by_load = ceil_div(survey.total, spec.target_per_pod)
    text = f"{_load(spec, survey, current)}: {count(raw, 'replica')} needed"
    if leading is not None:
        return f"{text}, as {_average(leading)}"
    if raw > by_load and survey.capacity:
        fullest, pod = survey.capacity[-1]
        text += f", as {pod.name} carries {fullest:,} of at most {spec.cap_per_pod:,}"
    return text


def stabilizing(why: str, spec: Spec, want: int, *, down: bool) -> str:
    """Explain that the load has needed another number only for a short time. `why` is from `load`."""
    if down:
        return f"{why}, but up to {want} were recommended within the last {spec.down.window} s"
    return f"{why}, but as few as {want} were recommended within the last {spec.up.window} s"


def rate_limited(why: str, want: int, rules: Rules) -> str:
    """Explain that the policies limit the number to `want`. `why` is from `load`."""
    return f"{why}; the policies allow {want} now ({policies(rules)})"


def policies(rules: Rules) -> str:
    """Explain rate policies: how much they allow in which time."""
    if rules.select is Select.DISABLED or not rules.policies:
        return "selectPolicy is Disabled"
    each = [f"{_amount(policy)} in {policy.period} s" for policy in rules.policies]
    if len(each) == 1:
        return each[0]
    return f"{' or '.join(each)}, whichever is {'less' if rules.select is Select.MIN else 'more'}"


def _amount(policy: Policy) -> str:
    return f"{policy.value:,} %" if policy.type is PolicyType.PERCENT else count(policy.value, "pod")


def limited(why: str, bounds: Bounds, reason: Reason, peak: str) -> str:
    """Explain which bound limits the number. `why` is from `load`."""
    if reason is Reason.AT_MAXIMUM:
        return f"{why}; maxReplicas allows {bounds.high}"
    return f"{why}; {_minimum(bounds, peak)}"


def _minimum(bounds: Bounds, peak: str) -> str:
    return f"schedule {peak!r} requires {bounds.low}" if peak else f"minReplicas requires {bounds.low}"


def above_maximum(current: int, bounds: Bounds) -> str:
    """Explain that there are more replicas than allowed."""
    return f"{count(current, 'replica')} {_is(current)} more than maxReplicas allows, {bounds.high}"


def below_minimum(current: int, bounds: Bounds, peak: str) -> str:
    """Explain that there are fewer replicas than allowed."""
    return f"{count(current, 'replica')} {_is(current)} too few: {_minimum(bounds, peak)}"


def adopted(current: int, raw: int, left: float, needed: int) -> str:
    """Explain that somebody else set the number of replicas."""
    text = f"somebody else set the number of replicas to {current}; it is kept for {left:.0f} s (the load needs {raw})"
    return f"{text}; the cap needs at least {needed}" if needed > current else text


def unreadable(spec: Spec, survey: Survey) -> str:
    """Explain that pods cannot be read."""
    pods = survey.unreadable
    verb = "was" if len(pods) == 1 else "were"
    return f"{count(len(pods), 'pod')} {verb} not readable for {spec.max_sample_age} s: {names(pods)}"


def not_ready(survey: Survey) -> str:
    """Explain that pods are not ready."""
    pods = (*survey.starting, *survey.unready, *survey.pending)
    return f"{count(len(pods), 'pod')} {_is(len(pods))} not ready: {names(pods)}"


def conflict(fleet: Fleet) -> str:
    """Explain that other autoscalers scale the same target."""
    verb = "scales" if len(fleet.autoscalers) == 1 else "scale"
    return f"{', '.join(fleet.autoscalers)} {verb} the same target; remove all but one autoscaler"


def overtaken(drain: Drain) -> str:
    """Explain that a drain ended because its victims are gone."""
    verb = "was" if len(drain.victims) == 1 else "were"
    return (
        f"the drain of {names(drain.victims)} ended: {count(len(drain.victims), 'victim')} {verb} replaced or deleted"
    )


def rollout(fleet: Fleet) -> str:
    """Explain that a rollout is in progress."""
    return f"a rollout is in progress ({fleet.rollout})"


def draining(drain: Drain, survey: Survey, now: float) -> str:
    """Explain that a drain continues."""
    left = sum(known or 0 for known, _ in survey.draining.values())
    began = sum(victim.connections for victim in drain.victims)
    pods, replicas = count(len(drain.victims), "pod"), count(drain.target, "replica")
    remaining = max(0.0, drain.deadline - now)
    return (
        f"draining {pods} to reach {replicas}: {names(drain.victims)}; "
        f"{left:,} of {began:,} connections left, {remaining:.0f} s to the deadline"
    )


def back_in_service(survey: Survey, back: tuple[Victim, ...]) -> str:
    """Explain that victims are back in service."""
    left = sum(survey.draining[victim.uid][0] or 0 for victim in back)
    return f"{names(back)} {_is(len(back))} back in service with {count(left, 'connection')}: the drain lapsed"


def begin_drain(why: str, drain: Drain, limit: str, *, ordinals: bool) -> str:
    """Explain that a drain begins, with the rule that chose its victims: the pods' `ordinals`, or their connections."""
    moved = sum(victim.connections for victim in drain.victims)
    pods = count(len(drain.victims), "pod")
    chosen = f"{pods} with the highest ordinals" if ordinals else f"the emptiest {pods}"
    text = f"{why}; draining {chosen}, {count(moved, 'connection')} in all"
    return f"{text} ({limit})" if limit else text


def rebalancing(spec: Spec, survey: Survey, moves: tuple[Move, ...]) -> str:
    """Explain a round of rebalancing."""
    fullest = survey.capacity[-1][0]
    average = ceil_div(sum(item for item, _ in survey.capacity), len(survey.capacity))
    moved = count(sum(move.connections for move in moves), "connection")
    rate = f"{spec.reconnects_per_second} reconnects per second"
    return (
        f"the fullest pod carries {fullest:,}, the average is {average:,}: "
        f"moving {moved} from {names(moves)}, within {rate}"
    )

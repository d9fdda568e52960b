"""History between decisions, kept as small as exact results allow.

It is stored in the resource's status. So a restart neither forgets a stabilization window nor takes the operator's own
scaling for a change by somebody else.
"""

from __future__ import annotations

from dataclasses import replace

from hunarmitra_operator.model import Change, Fleet, History, Recommendation, Spec

FOREIGN_SECONDS = 600
"""Two changes of the number of replicas by somebody else within this time are a conflict."""

MAX_CHANGES = 200
MAX_RECOMMENDATIONS = 100
SLICES = 40
"""Into how many slices a window is cut when there are more recommendations than that."""


def add_recommendation(
    recommendations: tuple[Recommendation, ...], replicas: int, now: float, window: int
) -> tuple[Recommendation, ...]:
    """Append a recommendation and drop those that can no longer be the lowest or highest of any window.

    A recommendation that is followed by one at least as high and by one at least as low never decides again, whatever
    the windows are. What is kept grows with the number of distinct values, not with time.
    """
    kept: list[Recommendation] = [Recommendation(replicas, now)]
    lowest = highest = replicas
    for item in reversed(recommendations):
        if item.at <= now - window or item.at > now:
            continue
        if item.replicas < lowest or item.replicas > highest:
            kept.append(item)
            lowest, highest = min(lowest, item.replicas), max(highest, item.replicas)
    return tuple(reversed(kept if len(kept) <= MAX_RECOMMENDATIONS else _thinned(kept, window / SLICES)))


def _thinned(newest_first: list[Recommendation], slice_seconds: float) -> list[Recommendation]:
    """Keep the highest and the lowest recommendation of each slice of time, with the time of the slice's newest one.

    So a recommendation counts for at most one slice longer than its window, and never for less.
    """
    current, kept = newest_first[0].replicas, dict[tuple[bool, int], Recommendation]()
    for item in newest_first[1:]:
        key = (item.replicas > current, int(item.at // slice_seconds))
        newest = kept.get(key, item)
        kept[key] = Recommendation(item.replicas, newest.at)
    return [newest_first[0], *sorted(kept.values(), key=lambda item: item.at, reverse=True)]


def add_change(
    changes: tuple[Change, ...], by: int, now: float, spec: Spec, *, at: float | None = None
) -> tuple[Change, ...]:
    """Append a change of replicas and drop those that no policy looks back at.

    The return of a drained pod is entered `at` the beginning of the drain, so that the two cancel out for every period.
    """
    period = max((policy.period for policy in (*spec.up.policies, *spec.down.policies)), default=0)
    when = now if at is None else at
    both = (*changes, Change(by, when)) if by else changes
    kept = tuple(item for item in both if now - period < item.at <= now)
    return kept if len(kept) <= MAX_CHANGES else _summed(kept, period / SLICES, now)


def _summed(changes: tuple[Change, ...], slice_seconds: float, now: float) -> tuple[Change, ...]:
    """Add up the changes of each slice of time, at the time of the slice's newest one. Changes of now stay as they are.

    So a change counts for at most one slice longer than its period, and never for less.
    """
    slices = dict[int, Change]()
    for item in changes:
        if item.at < now:
            past = slices.get(int(item.at // slice_seconds), Change(0, item.at))
            slices[int(item.at // slice_seconds)] = Change(past.by + item.by, max(past.at, item.at))
    return (*(item for item in slices.values() if item.by), *(item for item in changes if item.at == now))


def no_later(history: History, now: float) -> History:
    """Move times that lie in the future to `now`.

    They come from a clock that was ahead. Otherwise a change one hour ahead would limit the rate until that hour is
    over.
    """

    def at(moment: float | None) -> float | None:
        return None if moment is None else min(moment, now)

    return replace(
        history,
        changes=tuple(replace(change, at=min(change.at, now)) for change in history.changes),
        pending_since=at(history.pending_since),
        adopted=at(history.adopted),
        grown=at(history.grown),
        rebalanced=at(history.rebalanced),
        drain_ended=at(history.drain_ended),
        drain_aborted=at(history.drain_aborted),
    )


def intend(history: History, replicas: int, now: float) -> History:
    """Note the number that is about to be written; `reconcile` finds out whether it was written."""
    return replace(history, pending=replicas, pending_since=now)


def reconcile(history: History, fleet: Fleet, now: float) -> tuple[History, bool]:
    """Compare the Deployment's replicas with the last known number; True if somebody else changed them.

    The intention is stored before the number is written, so that both outcomes of a crash in between can be recognized.
    An intention that was not carried out is dropped together with its change.
    """
    history = no_later(history, now)
    foreign = tuple(at for at in history.foreign if now - FOREIGN_SECONDS < at <= now)
    seen = replace(history, replicas=fleet.replicas, pending=None, pending_since=None, foreign=foreign)
    if history.replicas is None or fleet.replicas == history.pending:
        return seen, False
    if fleet.replicas == history.replicas:
        if history.pending is not None and history.pending > history.replicas:
            kept = tuple(c for c in history.changes if c.at != history.pending_since)
            seen = replace(seen, changes=kept)
        return seen, False
    return replace(seen, foreign=(*foreign, now), adopted=now), True

"""Sorts pods and samples for the decision.

All connections are load, also those on draining and terminating pods: their clients are about to reconnect elsewhere.
Only ready, undrained, readable pods are capacity.
"""

from __future__ import annotations

from operator import itemgetter

from hunarmitra_operator.model import Drain, Fleet, Pod, Samples, Survey


def take(fleet: Fleet, samples: Samples, drain: Drain | None, *, now: float, max_age: float) -> Survey:
    """Survey the fleet.

    A sample older than `max_age` counts only for the estimate; so does a sample from the future, which a clock that was
    set back leaves behind. An unreadable pod is estimated at its last value or at the average of the readable pods,
    whichever is greater: pods are unreadable when they are overloaded, and too many pods is the cheaper mistake.
    """
    victims = {victim.uid for victim in drain.victims} if drain else set()
    loads: list[tuple[int, str, Pod]] = []
    unreadable: list[tuple[int, Pod]] = []
    starting: list[Pod] = []
    unready: list[Pod] = []
    pending: list[Pod] = []
    draining: dict[str, tuple[int | None, Pod]] = {}
    total = readable = 0
    oldest = now - max_age
    for pod in fleet.pods:
        sample = samples.get(pod.uid)
        fresh = sample is not None and oldest <= sample.at <= now
        if sample is not None and fresh:
            readable += 1
            total += sample.connections
        if pod.uid in victims:
            # A pending victim has no container, hence no connection.
            known = sample.connections if sample is not None and fresh else (0 if pod.pending else None)
            draining[pod.uid] = (known, pod)
            if known is None and not pod.terminating:
                unreadable.append((sample.connections if sample else 0, pod))
        elif pod.terminating:
            continue
        elif pod.pending:
            pending.append(pod)
        elif sample is not None and fresh:
            if pod.ready:
                loads.append((sample.connections, pod.uid, pod))
            else:
                unready.append(pod)
        elif pod.ready or (sample is not None and sample.connections > 0):
            unreadable.append((sample.connections if sample else 0, pod))
        else:
            starting.append(pod)
    loads.sort(key=itemgetter(0, 1))
    average = -(-sum(load for load, _, _ in loads) // len(loads)) if loads else 0
    estimated = sum(max(last, average) for last, _ in unreadable)
    return Survey(
        total=total + estimated,
        capacity=tuple([(load, pod) for load, _, pod in loads]),
        metrics=tuple([samples[uid].metrics for _, uid, _ in loads]),
        unreadable=tuple([pod for _, pod in unreadable]),
        starting=tuple(starting),
        unready=tuple(unready),
        pending=tuple(pending),
        draining=draining,
        readable=readable,
        unread_total=estimated,
    )

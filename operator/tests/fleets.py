"""Generated fleets, histories and specs, and short ways to write one down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from hypothesis import strategies as st

from hunarmitra_operator.model import (
    Change,
    Drain,
    Fleet,
    History,
    Pod,
    Policy,
    PolicyType,
    RebalanceRules,
    Recommendation,
    Rules,
    Sample,
    Select,
    Spec,
    Victim,
)

NOW = 1_800_000_000.0
SPEC = Spec(target="ws", target_per_pod=100, cap_per_pod=150, min_replicas=1, max_replicas=20)


def pods(loads: Sequence[int | None]) -> tuple[Pod, ...]:
    """Return a running, ready pod for each load."""
    return tuple(Pod(f"uid-{i:04}", f"ws-{i}", created=NOW - 3600) for i in range(len(loads)))


def samples(loads: Sequence[int | None], at: float = NOW) -> dict[str, Sample]:
    """Return a fresh sample for each load that is not None."""
    return {f"uid-{i:04}": Sample(load, at) for i, load in enumerate(loads) if load is not None}


def fleet(loads: Sequence[int | None], replicas: int | None = None, rollout: str = "") -> Fleet:
    """Return a fleet with a pod for each load; None is a pod without a sample."""
    return Fleet(len(loads) if replicas is None else replicas, pods(loads), rollout)


def settled(replicas: int, recommended: int, *, since: float = 1000.0) -> History:
    """Return a history in which `recommended` was recommended for long enough to be acted on."""
    return History(recommendations=(Recommendation(recommended, NOW - since + 900),), replicas=replicas)


def with_pod(current: Fleet, index: int, **changes: object) -> Fleet:
    """Return the fleet with one pod changed."""
    changed = list(current.pods)
    changed[index] = replace(changed[index], **changes)  # type: ignore[arg-type]
    return replace(current, pods=tuple(changed))


POLICIES = st.tuples(st.sampled_from(PolicyType), st.integers(1, 200), st.sampled_from([15, 60, 300, 1800]))
RULES = st.tuples(
    st.sampled_from([0, 0, 30, 300, 3600]),
    st.sampled_from([0, 5, 10, 30]),
    st.sampled_from([Select.MAX, Select.MAX, Select.MIN, Select.DISABLED]),
    st.lists(POLICIES, min_size=1, max_size=3).map(lambda many: tuple(Policy(*one) for one in many)),
).map(lambda fields: Rules(*fields))
REBALANCES = st.tuples(st.booleans(), st.integers(1, 50), st.integers(1, 50), st.sampled_from([5, 15, 60])).map(
    lambda fields: RebalanceRules(*fields)
)


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    """Any spec that the API server would accept, without schedules, pause and dry run."""
    target, spare, low, more, budget = draw(
        st.tuples(
            st.one_of(st.integers(200, 3000), st.integers(1, 500)),
            st.integers(0, 1000),
            st.one_of(st.integers(1, 3), st.integers(1, 12)),
            st.integers(0, 30),
            st.integers(1, 100),
        )
    )
    return Spec(
        target="ws",
        target_per_pod=target,
        cap_per_pod=target + spare,
        min_replicas=low,
        max_replicas=low + more,
        consider_fullest=draw(st.booleans()),
        up=draw(RULES),
        down=draw(RULES),
        reconnects_per_second=budget,
        drain_window=draw(st.sampled_from([10, 120, 600])),
        rebalance=draw(REBALANCES),
    )


STATES = st.sampled_from(["ready"] * 5 + ["unready", "pending", "gone"])
AGES = st.sampled_from([0.0] * 6 + [5.0, 29.0, 31.0, 500.0, None])
LOADS = st.one_of(st.integers(0, 100), st.integers(0, 800))
POD_LISTS = st.one_of(
    st.lists(st.tuples(st.just("ready"), st.just(0.0), LOADS), min_size=1, max_size=24),
    st.lists(st.tuples(STATES, AGES, LOADS), min_size=1, max_size=24),
)


@st.composite
def fleets(draw: st.DrawFn) -> tuple[Fleet, dict[str, Sample]]:
    """A Deployment with pods in every state, some with samples that are old or missing."""
    made, readings = [], {}
    for index, (state, age, load) in enumerate(draw(POD_LISTS)):
        uid = f"uid-{index:04}"
        ready, pending, gone = state == "ready", state == "pending", state == "gone"
        made.append(Pod(uid, f"ws-{index}", ready=ready, pending=pending, terminating=gone))
        if age is not None and not pending:
            readings[uid] = Sample(load, NOW - age)
    replicas = max(0, len(made) + draw(st.sampled_from([0, 0, 0, 1, -1])))
    rollout = draw(st.sampled_from(["", "", "", "", "two revisions have pods"]))
    return Fleet(replicas, tuple(made), rollout), readings


SECONDS = st.one_of(st.integers(0, 200), st.integers(0, 4000)).map(float)
MAYBE = st.one_of(st.none(), SECONDS.map(lambda ago: NOW - ago))
PAST = st.lists(st.tuples(SECONDS, st.one_of(st.integers(1, 6), st.integers(1, 40)), st.integers(-5, 5)), max_size=6)


@st.composite
def histories(draw: st.DrawFn, current: Fleet) -> History:
    """Any history: recommendations, changes, a drain of some of the fleet's pods, changes by somebody else."""
    past = sorted(draw(PAST), reverse=True)
    drain = None
    victims = draw(st.one_of(st.none(), st.sets(st.integers(0, len(current.pods) - 1), min_size=1)))
    if victims:
        chosen = [current.pods[index] for index in sorted(victims)]
        started = NOW - draw(st.integers(1, 300))
        drain = Drain(
            "ws-1",
            max(0, current.replicas - len(chosen)),
            tuple(Victim(pod.uid, pod.name, 5) for pod in chosen),
            started,
            started + 120,
            draw(st.sampled_from([None, None, NOW - 5, NOW - 40])),
        )
    adopted, grown, rebalanced, ended, aborted = draw(st.tuples(MAYBE, MAYBE, MAYBE, MAYBE, MAYBE))
    return History(
        recommendations=tuple(Recommendation(replicas, NOW - ago) for ago, replicas, _ in past),
        changes=tuple(Change(by, NOW - ago) for ago, _, by in past[:3]),
        replicas=draw(st.sampled_from([current.replicas] * 6 + [None, current.replicas + 1])),
        pending=draw(st.sampled_from([None, None, current.replicas, current.replicas + 2])),
        pending_since=NOW - 5,
        foreign=tuple(NOW - ago for ago, _, _ in past[:1]),
        adopted=adopted,
        grown=grown,
        rebalanced=rebalanced,
        drain_ended=ended,
        drain_aborted=aborted,
        drain=drain,
    )

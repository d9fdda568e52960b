"""What is wanted, what was seen, what is remembered, and what was decided.

Plain values: nothing here reads a clock or talks to anyone. Times are seconds since the epoch, durations are
seconds. Everything is immutable, so that a decision can be recorded and replayed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from zoneinfo import ZoneInfo


class Select(StrEnum):
    """Which of several rate policies counts."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class PolicyType(StrEnum):
    """What a rate policy's value counts."""

    PERCENT = "Percent"
    PODS = "Pods"


@dataclass(frozen=True, slots=True)
class Policy:
    """At most `value` pods, or percent of the replicas, within `period` seconds."""

    type: PolicyType
    value: int
    period: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How fast replicas may change in one direction; the meaning is HorizontalPodAutoscaler's."""

    window: int
    tolerance_percent: int = 10
    select: Select = Select.MAX
    policies: tuple[Policy, ...] = ()


# HorizontalPodAutoscaler's defaults, which are ours too.
UP_RULES = Rules(window=0, policies=(Policy(PolicyType.PERCENT, 100, 15), Policy(PolicyType.PODS, 4, 15)))
DOWN_RULES = Rules(window=300, policies=(Policy(PolicyType.PERCENT, 100, 15),))


@dataclass(frozen=True, slots=True)
class Peak:
    """A known peak: from `start` to `end` on the given weekdays (0 is Monday) keep at least
    `min_replicas`."""

    name: str
    start: time
    end: time
    min_replicas: int
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Rebalance:
    """When pods that carry much more than the average give connections away."""

    enabled: bool = True
    absolute: int = 10
    relative_percent: int = 15
    cooldown: int = 15


@dataclass(frozen=True, slots=True)
class Control:
    """How a pod's control port is reached."""

    port: int = 8082
    timeout: int = 2


@dataclass(frozen=True, slots=True)
class Spec:
    """A WebSocketScaler's spec, checked and with its defaults filled in."""

    target: str
    target_per_pod: int
    cap_per_pod: int
    max_replicas: int
    min_replicas: int = 2
    consider_fullest: bool = True
    schedule: tuple[Peak, ...] = ()
    up: Rules = UP_RULES
    down: Rules = DOWN_RULES
    reconnects_per_second: int = 50
    drain_window: int = 120
    lease: int = 60
    rebalance: Rebalance = Rebalance()
    max_sample_age: int = 30
    control: Control = Control()
    paused: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod that the Deployment owns and that has not finished.

    `pending` pods have no running container, hence no connections. `ready` is what Kubernetes says.
    """

    uid: str
    name: str
    ip: str = ""
    ready: bool = True
    pending: bool = False
    terminating: bool = False
    created: float = 0.0
    revision: str = ""
    marked: bool = False
    """Whether it carries the deletion cost that the operator gives to victims."""


@dataclass(frozen=True, slots=True)
class Sample:
    """The newest successful reading of a pod."""

    connections: int
    at: float


@dataclass(frozen=True, slots=True)
class Fleet:
    """The Deployment and its pods at one moment.

    `rollout` says why the Deployment counts as rolling out, or is empty; `rivals` names other autoscalers
    that write the same number."""

    replicas: int
    pods: tuple[Pod, ...]
    rollout: str = ""
    rivals: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Victim:
    """A pod chosen to be removed, with its connections at that moment."""

    uid: str
    name: str
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Drain:
    """A scale-down in progress, from the choice of its victims to their termination."""

    id: str
    target: int
    victims: tuple[Victim, ...]
    started: float
    deadline: float
    scaled: float | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A number of replicas and when it was last recommended."""

    replicas: int
    at: float


@dataclass(frozen=True, slots=True)
class Change:
    """A change of the number of replicas, by the operator."""

    by: int
    at: float


@dataclass(frozen=True, slots=True)
class History:
    """What the next decision depends on. It is kept in the resource's status, so a restart changes
    nothing."""

    recommendations: tuple[Recommendation, ...] = ()
    changes: tuple[Change, ...] = ()
    replicas: int | None = None
    pending: int | None = None
    pending_since: float | None = None
    foreign: tuple[float, ...] = ()
    adopted: float | None = None
    grown: float | None = None
    shed: float | None = None
    drain_ended: float | None = None
    drain_aborted: float | None = None
    drain: Drain | None = None


class Reason(StrEnum):
    """Why a decision is what it is, in one word."""

    STEADY = "Steady"
    SCALING_UP = "ScalingUp"
    DRAINING = "Draining"
    SCALING_DOWN = "ScalingDown"
    WAITING = "WaitingForTermination"
    RETURNED = "VictimsReturned"
    ABORTED = "DrainAborted"
    LAPSED = "DrainLapsed"
    REBALANCING = "Rebalancing"
    STABILIZING = "Stabilizing"
    RATE_LIMITED = "RateLimited"
    AT_MAXIMUM = "AtMaximum"
    AT_MINIMUM = "AtMinimum"
    STALE = "MetricsStale"
    ROLLOUT = "RolloutInProgress"
    PODS_NOT_READY = "PodsNotReady"
    SURVIVORS_FULL = "SurvivorsFull"
    COOLING_DOWN = "CoolingDown"
    ADOPTED = "ReplicasSetElsewhere"
    CONFLICT = "Conflict"
    PAUSED = "Paused"
    DRY_RUN = "DryRun"
    NO_DATA = "NoData"
    AT_ZERO = "ScaledToZero"


@dataclass(frozen=True, slots=True)
class Shed:
    """How many connections a pod is to send elsewhere now."""

    uid: str
    name: str
    connections: int


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, and why.

    Carrying it out means: persist `history`; release `release`; renew the drain of the victims of `drain`;
    send `shed`; write `scale_to`, in that order. `recommended` is what the load alone asks for, `desired`
    what is worked towards."""

    at: float
    reason: Reason
    message: str
    connections: int
    current: int
    recommended: int
    desired: int
    history: History
    scale_to: int | None = None
    drain: Drain | None = None
    release: tuple[Victim, ...] = ()
    shed: tuple[Shed, ...] = ()
    stale: tuple[str, ...] = ()
    limited: Reason | None = None
    conflict: str = ""
    ready: int = 0
    fullest: tuple[str, int] | None = None
    still: bool = False
    """Whether a round of rebalancing that an earlier decision began has to stop."""


Samples = Mapping[str, Sample]
"""The newest sample of each pod, by UID; a pod never read has none."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The fleet as far as it can be seen, sorted into what a decision needs to know."""

    total: int
    """Connections on all pods; an unreadable pod counts with an estimate."""
    capacity: tuple[tuple[int, Pod], ...]
    """Ready, undrained, readable pods with their connections, the emptiest first."""
    unreadable: tuple[Pod, ...]
    """Pods that should be readable and are not."""
    starting: tuple[Pod, ...]
    """Running pods that are not ready, not being drained and were not read recently: new ones, usually."""
    unready: tuple[Pod, ...]
    """Running pods that are readable but not ready, and not being drained."""
    pending: tuple[Pod, ...]
    """Pods without a running container."""
    draining: Mapping[str, tuple[int | None, Pod]] = field(default_factory=dict)
    """Victims of the current drain that still exist, by UID; None where unreadable."""
    readable: int = 0
    """How many pods have a fresh sample."""
    unread_total: int = 0
    """The estimated part of `total`."""


@dataclass(frozen=True, slots=True)
class Scene:
    """All that a decision looks at, apart from its memory."""

    spec: Spec
    fleet: Fleet
    seen: Survey
    now: float

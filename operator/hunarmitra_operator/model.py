"""Values of the decision: the spec, the observed fleet, the history and the decision itself.

Nothing here reads a clock or uses the network. Times are seconds since the epoch, durations are seconds. All values are
immutable, so that a decision can be recorded and replayed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import time
from enum import StrEnum
from zoneinfo import ZoneInfo

from hunarmitra_operator.curve import NO_PREDICTION, Curve, Forecast, Prediction


class Select(StrEnum):
    """How several rate policies are combined."""

    MAX = "Max"
    MIN = "Min"
    DISABLED = "Disabled"


class PolicyType(StrEnum):
    """Unit of a rate policy's value."""

    PERCENT = "Percent"
    PODS = "Pods"


class Kind(StrEnum):
    """Kind of the target. Each has the `scale` subresource."""

    DEPLOYMENT = "Deployment"
    STATEFUL_SET = "StatefulSet"
    ROLLOUT = "Rollout"
    """Rollout of Argo Rollouts."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Rate policy: at most `value` pods, or percent of the replicas, within `period` seconds."""

    type: PolicyType
    value: int
    period: int


@dataclass(frozen=True, slots=True)
class Rules:
    """How fast replicas may change in one direction. The fields mean what they mean in HorizontalPodAutoscaler."""

    window: int
    tolerance_percent: int = 10
    select: Select = Select.MAX
    policies: tuple[Policy, ...] = ()


# The defaults of HorizontalPodAutoscaler, and of this operator.
UP_RULES = Rules(window=0, policies=(Policy(PolicyType.PERCENT, 100, 15), Policy(PolicyType.PODS, 4, 15)))
DOWN_RULES = Rules(window=300, policies=(Policy(PolicyType.PERCENT, 100, 15),))


@dataclass(frozen=True, slots=True)
class Peak:
    """Scheduled peak: at least `min_replicas` from `start` to `end` on the given weekdays (0 is Monday)."""

    name: str
    start: time
    end: time
    min_replicas: int
    zone: ZoneInfo
    days: frozenset[int] = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class RebalanceRules:
    """When connections move away from pods that carry much more than the average."""

    enabled: bool = True
    absolute: int = 10
    relative_percent: int = 15
    cooldown: int = 15


@dataclass(frozen=True, slots=True)
class Metric:
    """Metric besides connections: a number that each pod reports, with what a pod should have on average."""

    name: str
    target: int


@dataclass(frozen=True, slots=True)
class Control:
    """How the operator reaches a pod's control port."""

    port: int = 8082
    timeout: int = 2


@dataclass(frozen=True, slots=True)
class Spec:
    """Spec of a WebSocketScaler, checked and with its defaults filled in."""

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
    rebalance: RebalanceRules = RebalanceRules()
    max_sample_age: int = 30
    control: Control = Control()
    paused: bool = False
    dry_run: bool = False
    kind: Kind = Kind.DEPLOYMENT
    metrics: tuple[Metric, ...] = ()
    prediction: Prediction = NO_PREDICTION

    @property
    def target_id(self) -> str:
        """Kind and name of the target; the name alone for a Deployment, as in every status of earlier versions."""
        return self.target if self.kind is Kind.DEPLOYMENT else f"{self.kind}/{self.target}"


def ordinal(name: str) -> int:
    """Return the number at the end of the name of a StatefulSet's pod; -1 if there is none."""
    last = name.rpartition("-")[2]
    return int(last) if last.isdecimal() else -1


@dataclass(frozen=True, slots=True)
class Pod:
    """Pod that the target owns and that has not finished.

    A `pending` pod has no running container, hence no connections. `ready` is the pod's Ready condition.
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
    """Whether the pod carries the deletion cost that the operator gives to victims."""

    @property
    def ordinal(self) -> int:
        """Number at the end of the name of a StatefulSet's pod; -1 if there is none."""
        return ordinal(self.name)


@dataclass(frozen=True, slots=True)
class Sample:
    """Newest successful reading of a pod."""

    connections: int
    at: float
    metrics: Mapping[str, float] = field(default_factory=dict)
    """Further numbers that the pod reports, by name."""


@dataclass(frozen=True, slots=True)
class Ordinals:
    """How a StatefulSet removes pods: the highest ordinal first, without regard to deletion costs.

    `highest` is the ordinal of the last replica. With `one_by_one` (the policy OrderedReady) the controller does
    not continue while two pods that it has to remove are not ready, and drained pods are not ready.
    """

    highest: int
    one_by_one: bool = True


@dataclass(frozen=True, slots=True)
class Fleet:
    """The target and its pods at one moment.

    `rollout` is the reason why the target counts as rolling out, or empty. `autoscalers` names the other autoscalers
    of the same target. `ordinals` is set for a StatefulSet; any other target removes the pods with the lowest deletion
    cost.
    """

    replicas: int
    pods: tuple[Pod, ...]
    rollout: str = ""
    autoscalers: tuple[str, ...] = ()
    ordinals: Ordinals | None = None


@dataclass(frozen=True, slots=True)
class Victim:
    """Pod chosen for removal, with its connections at that moment."""

    uid: str
    name: str
    connections: int = 0


@dataclass(frozen=True, slots=True)
class Drain:
    """Scale-down in progress, from the choice of its victims to their termination."""

    id: str
    target: int
    victims: tuple[Victim, ...]
    started: float
    deadline: float
    scaled: float | None = None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """Number of replicas and the time when it was last recommended."""

    replicas: int
    at: float


@dataclass(frozen=True, slots=True)
class Change:
    """Change of the number of replicas by the operator."""

    by: int
    at: float


@dataclass(frozen=True, slots=True)
class History:
    """What the next decision depends on. It is stored in the resource's status, so that a restart changes nothing."""

    recommendations: tuple[Recommendation, ...] = ()
    changes: tuple[Change, ...] = ()
    replicas: int | None = None
    pending: int | None = None
    pending_since: float | None = None
    foreign: tuple[float, ...] = ()
    adopted: float | None = None
    grown: float | None = None
    rebalanced: float | None = None
    drain_ended: float | None = None
    drain_aborted: float | None = None
    drain: Drain | None = None
    curve: Curve | None = None


class Reason(StrEnum):
    """Reason of a decision, in one word."""

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
class Move:
    """How many connections a pod has to move to other pods now."""

    uid: str
    name: str
    connections: int


@dataclass(frozen=True, slots=True)
class Demand:
    """How many replicas one metric asks for, and its average over the pods in service that report it.

    Both are None if no pod reports it. `missing` has the pods in service that do not report it.
    """

    metric: str
    target: int
    replicas: int | None = None
    average: float | None = None
    missing: tuple[Pod, ...] = ()
    words: str = ""
    """Explanation, if it is not an average of the pods."""


CONNECTIONS = "connections"
"""Name of the metric that every pod reports."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do now, and why.

    The caller carries it out in this order: store `history`, return `release` to service, renew the drain of the
    victims of `drain`, write `scale_to`, start `moves`. `recommended` is the number of replicas for the load alone,
    `desired` the number that the operator works towards.
    """

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
    moves: tuple[Move, ...] = ()
    stale: tuple[str, ...] = ()
    limited: Reason | None = None
    conflict: str = ""
    ready: int = 0
    fullest: tuple[str, int] | None = None
    overtaken: str = ""
    """Explanation, if the drain ended because all its victims are gone, for example replaced by a rollout."""
    demands: tuple[Demand, ...] = ()
    """What each metric of the spec asks for. Empty while nothing is scaled."""
    decided_by: str = CONNECTIONS
    """Name of the metric that asks for most replicas."""
    forecast: Forecast | None = None
    missing: str = ""
    """Which pods in service do not report a metric of the spec, in words."""
    still: bool = False
    """Whether a round of rebalancing that an earlier decision started must stop."""


Samples = Mapping[str, Sample]
"""Newest sample of each pod, by UID. A pod that was never read has no entry."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The fleet as far as it is known, sorted for the decision."""

    total: int
    """Connections on all pods. An unreadable pod counts with an estimate."""
    capacity: tuple[tuple[int, Pod], ...]
    """Ready, undrained, readable pods with their connections, the emptiest first."""
    metrics: tuple[Mapping[str, float], ...]
    """Further numbers of each pod of `capacity`, in the same order."""
    unreadable: tuple[Pod, ...]
    """Pods that should be readable and are not."""
    starting: tuple[Pod, ...]
    """Running pods that are not ready, not being drained and not read recently: usually new pods."""
    unready: tuple[Pod, ...]
    """Running pods that are readable, not ready and not being drained."""
    pending: tuple[Pod, ...]
    """Pods without a running container."""
    draining: Mapping[str, tuple[int | None, Pod]] = field(default_factory=dict)
    """Victims of the current drain that still exist, by UID; the number of connections is None where unreadable."""
    readable: int = 0
    """Number of pods with a recent sample."""
    unread_total: int = 0
    """Estimated part of `total`."""


@dataclass(frozen=True, slots=True)
class Context:
    """Everything that a decision looks at, except the history."""

    spec: Spec
    fleet: Fleet
    survey: Survey
    now: float

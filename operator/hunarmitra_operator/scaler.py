"""Takes the turns of one WebSocketScaler: observe, decide, store, act."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Mapping, Set
from dataclasses import dataclass, field, replace

from hunarmitra_operator import kubernetes, metrics, observe, specification, status
from hunarmitra_operator.act import Actor, ScaleError
from hunarmitra_operator.claims import Claims
from hunarmitra_operator.decide import decide
from hunarmitra_operator.kubernetes import Api, ApiError, Json
from hunarmitra_operator.model import Decision, Drain, History, Pod, Sample, Spec
from hunarmitra_operator.observe import Autoscalers, Target, TargetError
from hunarmitra_operator.podclient import PodClient, Reading
from hunarmitra_operator.problem import Problem

logger = logging.getLogger(__name__)

STORE_ATTEMPTS = 3
ActiveDrain = tuple[Spec, Drain, Mapping[str, Pod]]
"""Drain in progress with its pods: everything that is needed to renew its leases."""


def _generation(resource: Json) -> int:
    return int(resource["metadata"].get("generation", 0))


def _sample(reading: Reading, wanted: Set[str], at: float) -> Sample:
    """Return the sample with those of the further metrics that the spec names."""
    return Sample(reading.connections, at, {name: value for name, value in reading.metrics.items() if name in wanted})


@dataclass(slots=True)
class Scaler:
    """State in memory about one resource. Everything that must survive a restart is in the resource's status too."""

    api: Api
    clients: PodClient
    namespace: str
    name: str
    clock: Callable[[], float] = time.time
    claims: Claims = field(default_factory=Claims)
    samples: dict[str, Sample] = field(default_factory=dict)
    silent: dict[str, float] = field(default_factory=dict)
    """Time of the last request to each pod that does not answer, by UID."""
    autoscalers: Autoscalers = field(default_factory=Autoscalers)
    actor: Actor = field(init=False)
    problem: Problem = field(default_factory=lambda: Problem(logger))
    scale_problem: Problem = field(default_factory=lambda: Problem(logger))
    rejection: ScaleError | None = None
    """Why the last write of the number of replicas failed, until one succeeds or none is needed."""
    active_drain: ActiveDrain | None = None
    _leases: asyncio.Lock = field(default_factory=asyncio.Lock)
    history: History | None = None
    """History after the last decision, which may be newer than the stored one; None after a start."""
    uid: str = ""
    written: str = ""
    """`lastDecisionTime` of the status that `history` belongs to.

    A status with another time was written by another operator, or by this one although the answer was lost. Then the
    history in the status counts, not the one in memory.
    """

    def __post_init__(self) -> None:
        self.actor = Actor(self.api, self.clients, self.namespace, self.name)
        metrics.begin(self.namespace, self.name)

    async def turn(self) -> bool:
        """Take one turn. False if the resource is gone.

        While the API server cannot be reached, the leases of a drain are renewed from memory: the pods can be reached
        without the API server, and a lapsed lease would move their clients twice.
        """
        began = self.clock()
        try:
            found = await self._turn(began)
        except ApiError as error:
            metrics.turn_errors.labels(self.namespace, self.name, "api").inc()
            self.problem.log(str(error.status), f"{self.namespace}/{self.name}: {error}")
            self.actor.stop()
            await self.keep_alive()
            found = True
        else:
            self.problem.resolved(f"{self.namespace}/{self.name}: the API server answers again")
        metrics.turn_seconds.labels(self.namespace, self.name).observe(max(0.0, self.clock() - began))
        return found

    async def _turn(self, now: float) -> bool:
        try:
            resource = await self.api.get(kubernetes.scaler(self.namespace, self.name), kubernetes.PLURAL)
        except ApiError as error:
            if error.status == 404:
                return False
            raise
        # The watch may report an edit later.
        self.claims.claim(resource["metadata"], resource.get("spec", {}))
        try:
            spec = specification.read(resource["spec"])
            target = await observe.target(self.api, self.namespace, spec, self.autoscalers, now)
        except specification.SpecError as error:
            await self._fail(resource, "InvalidSpec", str(error), now)
            return True
        except TargetError as error:
            await self._fail(resource, error.reason, str(error), now)
            return True
        except ApiError as error:
            if error.status != 403:
                raise
            # Shown in status, where people look first when the Role does not name their target.
            metrics.turn_errors.labels(self.namespace, self.name, "api").inc()
            await self._fail(resource, "Forbidden", str(error), now)
            return True
        await self._read_pods(spec, target)
        autoscalers = (*target.fleet.autoscalers, *self.claims.older((self.namespace, self.name)))
        target = replace(target, fleet=replace(target.fleet, autoscalers=autoscalers))
        await self._decide(resource, spec, target)
        return True

    async def _read_pods(self, spec: Spec, target: Target) -> None:
        """Read every running pod. A pod that does not answer keeps its last sample, which becomes stale."""
        pods = target.fleet.pods
        # Pods that answer come first, then silent pods, the one asked longest ago first. So hanging pods never
        # prevent the others from being read, and every pod is asked again.
        asked = sorted((pod for pod in pods if not pod.pending), key=lambda pod: self.silent.get(pod.uid, 0.0))
        answers = await self.clients.readings(asked, spec.control)
        at = self.clock()
        living = {pod.uid for pod in pods}
        wanted = {metric.name for metric in spec.metrics}
        read = {uid: _sample(answer, wanted, at) for uid, answer in answers.items() if answer is not None}
        silent = self.silent | dict.fromkeys(answers.keys() - read.keys(), at)
        self.silent = {uid: when for uid, when in silent.items() if uid in living and uid not in read}
        self.samples = {uid: sample for uid, sample in self.samples.items() if uid in living} | read

    async def _decide(self, resource: Json, spec: Spec, target: Target) -> None:
        before: Json = resource.get("status", {})
        ours = self.uid == resource["metadata"]["uid"] and self.written == before.get("lastDecisionTime", "")
        if self.history is None or not ours:
            self.history, self.uid = status.read_history(before), resource["metadata"]["uid"]
            self.written = before.get("lastDecisionTime", "")
        if before.get("target", spec.target_id) != spec.target_id:
            # The history is about the old target, whose victims return to service.
            self.history = History()
            await self.release_all()
        history, now = self.history, self.clock()
        with metrics.decide_seconds.time():
            decision = decide(spec, target.fleet, self.samples, history, now)
        if decision.scale_to is None:
            self.rejection = None
        self._measure(spec, decision)
        after = self._status(resource, spec, target, decision)
        if status.worth_writing(before, after):
            grows = decision.scale_to is not None and decision.scale_to > decision.current
            stored = await self._store(resource, after, insist=grows)
            if stored is None:
                return  # somebody changed the resource meanwhile: the decision is dropped
            await self._announce(resource, before, after, decision)
            resource = stored
        if before.get("reason") != after["reason"] == decision.reason.value:
            logger.info("%s/%s: %s: %s", self.namespace, self.name, decision.reason.value, decision.message)
        self.history = decision.history
        lease = history.drain.id if history.drain else ""
        pods = {pod.uid: pod for pod in target.fleet.pods}
        await self._set_active(
            (spec, decision.drain, pods) if decision.drain and decision.drain.scaled is None else None
        )
        self._count(history.drain, decision)
        try:
            await self.actor.carry_out(spec, target, decision, lease)
        except ScaleError as error:
            await self._reject(resource, spec, target, decision, error)
        else:
            self.rejection = None
            self.scale_problem.resolved(f"{self.namespace}/{self.name}: the number of replicas can be written again")

    @property
    def _failure(self) -> status.Failure | None:
        return (self.rejection.reason, str(self.rejection)) if self.rejection else None

    async def _reject(self, resource: Json, spec: Spec, target: Target, decision: Decision, error: ScaleError) -> None:
        """Store and announce at once that the number of replicas could not be written."""
        metrics.turn_errors.labels(self.namespace, self.name, "api").inc()
        self.scale_problem.log(str(error.status), f"{self.namespace}/{self.name}: {error}")
        self.rejection = error
        self._measure_conditions(spec, decision)
        before: Json = resource.get("status", {})
        after = self._status(resource, spec, target, decision)
        if status.worth_writing(before, after) and await self._store(resource, after):
            await self._announce(resource, before, after, None)

    def _status(self, resource: Json, spec: Spec, target: Target, decision: Decision) -> Json:
        """Return the status after a decision, or after the failure to carry it out."""
        old, generation = resource.get("status", {}), _generation(resource)
        return status.after_decision(old, spec, decision, generation, self._failure, selector=target.selector)

    async def _fail(self, resource: Json, reason: str, message: str, now: float) -> None:
        """Store and announce why no decision can be made. A drain in progress ends with its leases."""
        await self._set_active(None)
        self.actor.stop()
        before: Json = resource.get("status", {})
        after = status.after_failure(before, reason, message, _generation(resource), now)
        metrics.condition.labels(self.namespace, self.name, "Ready").set(0)
        if status.worth_writing(before, after) and await self._store(resource, after):
            await self._announce(resource, before, after, None)

    async def _store(self, resource: Json, after: Json, *, insist: bool = False) -> Json | None:
        """Write the status; None if the resource changed since it was read, or is gone.

        With `insist` the status is written over a change that is not about the spec. If the resource changes all the
        time, the decision is carried out without its status, and memory has the history until the next write.
        """
        path = kubernetes.scaler(self.namespace, self.name)
        generation = _generation(resource)
        for _ in range(STORE_ATTEMPTS):
            try:
                body = {**resource, "status": after}
                resource = await self.api.put(f"{path}/status", f"{kubernetes.PLURAL}/status", body)
            except ApiError as error:
                if error.status not in {404, 409}:
                    raise
                if error.status == 404 or not insist:
                    return None
                resource = await self.api.get(path, kubernetes.PLURAL)
                if _generation(resource) != generation:
                    return None
            else:
                self.written = after["lastDecisionTime"]
                return resource
        return resource

    async def _announce(self, resource: Json, before: Json, after: Json, decision: Decision | None) -> None:
        """Create Events for what changed. A failed Event is only logged: Events are for people, not a record."""
        for notice in status.notices(before, after, decision):
            body = self._event(resource, notice)
            try:
                await self.api.post(kubernetes.events(self.namespace), "events", body)
            except ApiError as error:
                if error.status == 404:
                    return  # the namespace is gone
                logger.warning("%s/%s: no Event %s: %s", self.namespace, self.name, notice.reason, error)

    def _event(self, resource: Json, notice: status.Notice) -> Json:
        meta, at = resource["metadata"], status.moment(self.clock())
        short = at[:19] + "Z"
        return {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"generateName": f"{self.name}.", "namespace": self.namespace},
            "involvedObject": {
                "apiVersion": f"{kubernetes.GROUP}/{kubernetes.VERSION}",
                "kind": "WebSocketScaler",
                "name": self.name,
                "namespace": self.namespace,
                "uid": meta["uid"],
                "resourceVersion": meta["resourceVersion"],
            },
            "type": notice.type,
            "reason": notice.reason,
            "message": notice.message[:1000],
            "source": {"component": "hunarmitra-operator"},
            "firstTimestamp": short,
            "lastTimestamp": short,
            "count": 1,
        }

    @property
    def due(self) -> bool:
        """Return whether a third of a lease has passed since it was renewed."""
        return self.active_drain is not None and time.monotonic() - self.actor.renewed >= self.active_drain[0].lease / 3

    async def keep_alive(self) -> None:
        """Renew the leases of a drain from memory, until a window after its deadline."""
        async with self._leases:
            if self.active_drain is None:
                return
            spec, drain, pods = self.active_drain
            if self.clock() > drain.deadline + spec.drain_window:
                self.active_drain = None
                return
            await self.actor.renew(spec, drain, pods)

    async def _set_active(self, drain: ActiveDrain | None) -> None:
        """Set whose leases are renewed from now on.

        Waits for renewals in flight: a renewal that arrived after the pod's return to service would drain it again.
        """
        async with self._leases:
            self.active_drain = drain

    async def release_all(self) -> None:
        """Return all victims to service at once: the resource is gone, or has another target."""
        self.actor.stop()
        if (active := self.active_drain) is not None:
            await self._set_active(None)
            spec, drain, pods = active
            victims = [pods[victim.uid] for victim in drain.victims if victim.uid in pods]
            await self.actor.release(spec, victims, drain.id)
            await self.actor.unmark(victims)

    def _measure(self, spec: Spec, decision: Decision) -> None:
        labels = (self.namespace, self.name)
        metrics.connections.labels(*labels).set(decision.connections)
        metrics.pods_ready.labels(*labels).set(decision.ready)
        metrics.pods_unreadable.labels(*labels).set(len(decision.stale))
        metrics.fullest_pod.labels(*labels).set(decision.fullest[1] if decision.fullest else 0)
        metrics.replicas_current.labels(*labels).set(decision.current)
        metrics.replicas_desired.labels(*labels).set(decision.desired)
        metrics.replicas_recommended.labels(*labels).set(decision.recommended)
        metrics.replicas_predicted.labels(*labels).set(decision.forecast.replicas if decision.forecast else 0)
        metrics.measure_demands(*labels, decision.demands)
        metrics.draining.labels(*labels).set(len(decision.drain.victims) if decision.drain else 0)
        metrics.last_decision.labels(*labels).set(decision.at)
        metrics.decisions.labels(*labels, decision.reason.value).inc()
        self._measure_conditions(spec, decision)

    def _measure_conditions(self, spec: Spec, decision: Decision) -> None:
        for item in status.conditions(spec, decision, self._failure):
            metrics.condition.labels(self.namespace, self.name, item.type).set(item.status)

    def _count(self, before: Drain | None, decision: Decision) -> None:
        def count(event: str) -> None:
            metrics.drains.labels(self.namespace, self.name, event).inc()

        if decision.drain and decision.drain.started == decision.at:
            count("begun")
        if decision.drain and decision.drain.scaled == decision.at:
            count("finished")
        if before and (decision.release or decision.overtaken) and not decision.drain:
            count("given_up")

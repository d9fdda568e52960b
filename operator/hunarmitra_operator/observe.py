"""Reads the target, its pods, and the other autoscalers of the target."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hunarmitra_operator import kubernetes
from hunarmitra_operator.kubernetes import Api, ApiError, Json
from hunarmitra_operator.model import Fleet, Kind, Ordinals, Pod, Spec

SCALABLE = "realtime.hunarmitra.io/scalable"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
LOWEST_COST = "-2147483648"
"""Lowest deletion cost that Kubernetes takes. The operator recognizes its own mark by this value."""

AUTOSCALERS_SECONDS = 30.0


class TargetError(Exception):
    """The target cannot be scaled; `reason` is the reason of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Autoscalers:
    """Other autoscalers of the same target, listed twice a minute."""

    names: tuple[str, ...] = ()
    at: float = field(default=-AUTOSCALERS_SECONDS)
    of: tuple[str, str] = ("", "")
    """Kind and name of the target."""


@dataclass(frozen=True, slots=True)
class Target:
    """The target's fleet, and the resource version that fences a write of its scale."""

    fleet: Fleet
    resource_version: str
    selector: str = ""
    """Label selector of the pods, as a query."""


async def target(api: Api, namespace: str, spec: Spec, autoscalers: Autoscalers, now: float) -> Target:
    """Return the target with its pods. Raises `TargetError` or `ApiError`."""
    kind, name = spec.kind, spec.target
    found = await _workload(api, namespace, kind, name)
    if (found["metadata"].get("labels") or {}).get(SCALABLE) != "true":
        raise TargetError("TargetNotLabelled", f"{kind} {name!r} does not have the label {SCALABLE}=true")
    selector = _selector(kind, name, found)
    owners, pods, _ = await asyncio.gather(
        _pod_owners(api, namespace, kind, found, selector),
        api.get(kubernetes.pods(namespace), "pods", labelSelector=selector),
        refresh(api, namespace, (kind, name), autoscalers, now),
    )
    owner_kind = "StatefulSet" if kind is Kind.STATEFUL_SET else "ReplicaSet"
    seen = tuple(
        pod_of(item, _revision(item) if kind is Kind.STATEFUL_SET else owner)
        for item in pods["items"]
        if (owner := _owner(item, owner_kind)) in owners
        and item.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
    )
    replicas = int(found["spec"].get("replicas", 1))
    ordinals = _ordinals(found["spec"], replicas) if kind is Kind.STATEFUL_SET else None
    fleet = Fleet(replicas, seen, rollout(found, seen), autoscalers.names, ordinals)
    return Target(fleet, found["metadata"]["resourceVersion"], selector)


async def _workload(api: Api, namespace: str, kind: Kind, name: str) -> Json:
    try:
        return await api.get(kubernetes.workload(kind, namespace, name), kubernetes.RESOURCES[kind])
    except ApiError as error:
        if error.status == 404:
            installed = ", and that Argo Rollouts is installed" if kind is Kind.ROLLOUT else ""
            raise TargetError(
                "TargetNotFound",
                f"namespace {namespace!r} has no {kind} {name!r}; check spec.target.name{installed}",
            ) from error
        # Nothing that the operator may list shows whether a StatefulSet exists.
        if (
            error.status == 403
            and kind is not Kind.STATEFUL_SET
            and not await _has_replica_sets(api, namespace, kind, name)
        ):
            raise TargetError(
                "TargetNotFound",
                f"namespace {namespace!r} seems to have no {kind} {name!r}: no ReplicaSet belongs to it, and the "
                f"operator has no right to read it; check spec.target.name",
            ) from error
        raise


def _selector(kind: Kind, name: str, found: Json) -> str:
    """Return the selector of the pods as a query. A Rollout with `workloadRef` has it only in its status."""
    selector = label_selector(found["spec"].get("selector") or {}) or str(found.get("status", {}).get("selector", ""))
    if not selector:
        raise TargetError("TargetNotReady", f"{kind} {name!r} has no selector of pods yet")
    return selector


async def _pod_owners(api: Api, namespace: str, kind: Kind, found: Json, selector: str) -> set[str]:
    """Return the UIDs of the owners of the pods: the StatefulSet itself, or the target's ReplicaSets."""
    uid = found["metadata"]["uid"]
    if kind is Kind.STATEFUL_SET:
        return {uid}
    sets = await api.get(kubernetes.replica_sets(namespace), "replicasets", labelSelector=selector)
    return {item["metadata"]["uid"] for item in sets["items"] if _owner(item, kind) == uid}


def _ordinals(spec: Json, replicas: int) -> Ordinals:
    start = int((spec.get("ordinals") or {}).get("start", 0))
    return Ordinals(start + replicas - 1, spec.get("podManagementPolicy", "OrderedReady") != "Parallel")


def _revision(pod: Json) -> str:
    return str((pod["metadata"].get("labels") or {}).get("controller-revision-hash", ""))


async def _has_replica_sets(api: Api, namespace: str, kind: Kind, name: str) -> bool:
    """Return whether a target of that name has ReplicaSets. The operator may list those of any target."""
    found = await api.get(kubernetes.replica_sets(namespace), "replicasets")
    owners = (owner for item in found["items"] for owner in item["metadata"].get("ownerReferences") or [])
    return any(owner["kind"] == kind and owner["name"] == name for owner in owners)


def label_selector(selector: Mapping[str, Any]) -> str:
    """Return a target's selector as a query."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for item in selector.get("matchExpressions") or []:
        key, values = item["key"], ",".join(item.get("values") or [])
        parts.append(
            {"In": f"{key} in ({values})", "NotIn": f"{key} notin ({values})", "Exists": key}.get(
                item["operator"], f"!{key}"
            )
        )
    return ",".join(parts)


def _owner(item: Json, kind: str) -> str:
    """Return the UID of the controlling owner of that kind, or an empty string."""
    owners = item["metadata"].get("ownerReferences") or []
    return next((o["uid"] for o in owners if o.get("controller") and o["kind"] == kind), "")


def pod_of(item: Json, revision: str) -> Pod:
    """Return a pod as the decision needs it."""
    meta, status = item["metadata"], item.get("status", {})
    conditions = {c["type"]: c["status"] for c in status.get("conditions") or []}
    running = any("running" in (c.get("state") or {}) for c in status.get("containerStatuses") or [])
    return Pod(
        uid=meta["uid"],
        name=meta["name"],
        ip=status.get("podIP", ""),
        ready=conditions.get("Ready") == "True",
        pending=status.get("phase") == "Pending" and not running,
        terminating="deletionTimestamp" in meta,
        created=datetime.fromisoformat(meta["creationTimestamp"]).timestamp(),
        revision=revision,
        marked=(meta.get("annotations") or {}).get(DELETION_COST) == LOWEST_COST,
    )


def rollout(found: Json, pods: Iterable[Pod]) -> str:
    """Return why the target counts as rolling out, or an empty string."""
    # A Rollout has the observed generation as text.
    observed = str(found.get("status", {}).get("observedGeneration", 0))
    if not observed.isdecimal() or int(observed) < found["metadata"].get("generation", 0):
        return "its newest spec was not acted upon yet"
    revisions = {pod.revision for pod in pods if not pod.terminating}
    return f"{len(revisions)} revisions have pods" if len(revisions) > 1 else ""


async def refresh(api: Api, namespace: str, of: tuple[str, str], autoscalers: Autoscalers, now: float) -> None:
    """List other autoscalers of the target (kind and name), unless that was done recently."""
    target_kind, name = of
    if autoscalers.of == of and 0 <= now - autoscalers.at < AUTOSCALERS_SECONDS:
        return
    hpas, objects = await asyncio.gather(
        api.get(kubernetes.horizontal_pod_autoscalers(namespace), "horizontalpodautoscalers"),
        _optional(api, kubernetes.scaled_objects(namespace), "scaledobjects"),
    )
    found = []
    for kind, items in (("HorizontalPodAutoscaler", hpas), ("ScaledObject", objects)):
        for item in items.get("items", []):
            reference = item["spec"].get("scaleTargetRef", {})
            if reference.get("name") == name and reference.get("kind", "Deployment") == target_kind:
                found.append(f"{kind}/{item['metadata']['name']}")
    autoscalers.names, autoscalers.at, autoscalers.of = tuple(sorted(found)), now, of


async def _optional(api: Api, path: str, resource: str) -> Json:
    """List a kind that may not exist, or that the operator may not list."""
    try:
        return await api.get(path, resource)
    except ApiError as error:
        if error.status in {403, 404}:
            return {}
        raise

"""Reads the Deployment, its pods, and the other autoscalers of the Deployment."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from hunarmitra_operator import kubernetes
from hunarmitra_operator.kubernetes import Api, ApiError, Json
from hunarmitra_operator.model import Fleet, Pod

SCALABLE = "realtime.hunarmitra.io/scalable"
DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"
LOWEST_COST = "-2147483648"
"""Lowest deletion cost that Kubernetes takes. The operator recognizes its own mark by this value."""

AUTOSCALERS_SECONDS = 30.0


class TargetError(Exception):
    """The Deployment cannot be scaled; `reason` is the reason of the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Autoscalers:
    """Other autoscalers of the same Deployment, listed twice a minute."""

    names: tuple[str, ...] = ()
    at: float = field(default=-AUTOSCALERS_SECONDS)
    of: str = ""
    """Name of the Deployment."""


@dataclass(frozen=True, slots=True)
class Target:
    """The Deployment's fleet, and the resource version that fences a write of its scale."""

    fleet: Fleet
    resource_version: str
    selector: str = ""
    """Label selector of the pods, as a query."""


async def target(api: Api, namespace: str, name: str, autoscalers: Autoscalers, now: float) -> Target:
    """Return the Deployment with its pods. Raises `TargetError` or `ApiError`."""
    try:
        deployment = await api.get(kubernetes.deployment(namespace, name), "deployments")
    except ApiError as error:
        if error.status == 404:
            raise TargetError(
                "TargetNotFound", f"namespace {namespace!r} has no Deployment {name!r}; check spec.target.name"
            ) from error
        if error.status == 403 and not await _has_replica_sets(api, namespace, name):
            raise TargetError(
                "TargetNotFound",
                f"namespace {namespace!r} seems to have no Deployment {name!r}: no ReplicaSet belongs to it, and the "
                f"operator has no right to read it; check spec.target.name",
            ) from error
        raise
    if deployment["metadata"].get("labels", {}).get(SCALABLE) != "true":
        raise TargetError("TargetNotLabelled", f"Deployment {name!r} does not have the label {SCALABLE}=true")
    selector = label_selector(deployment["spec"]["selector"])
    replica_sets, pods, _ = await asyncio.gather(
        api.get(kubernetes.replica_sets(namespace), "replicasets", labelSelector=selector),
        api.get(kubernetes.pods(namespace), "pods", labelSelector=selector),
        refresh(api, namespace, name, autoscalers, now),
    )
    owned = {
        item["metadata"]["uid"]
        for item in replica_sets["items"]
        if _owner(item, "Deployment") == deployment["metadata"]["uid"]
    }
    seen = tuple(
        pod_of(item, revision)
        for item in pods["items"]
        if (revision := _owner(item, "ReplicaSet")) in owned
        and item.get("status", {}).get("phase") not in {"Succeeded", "Failed"}
    )
    replicas = int(deployment["spec"].get("replicas", 1))
    fleet = Fleet(replicas, seen, rollout(deployment, seen), autoscalers.names)
    return Target(fleet, deployment["metadata"]["resourceVersion"], selector)


async def _has_replica_sets(api: Api, namespace: str, name: str) -> bool:
    """Return whether a Deployment of that name has ReplicaSets. The operator may list those of any Deployment."""
    found = await api.get(kubernetes.replica_sets(namespace), "replicasets")
    owners = (owner for item in found["items"] for owner in item["metadata"].get("ownerReferences") or [])
    return any(owner["kind"] == "Deployment" and owner["name"] == name for owner in owners)


def label_selector(selector: Mapping[str, Any]) -> str:
    """Return a Deployment's selector as a query."""
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


def rollout(deployment: Json, pods: Iterable[Pod]) -> str:
    """Return why the Deployment counts as rolling out, or an empty string."""
    observed = deployment.get("status", {}).get("observedGeneration", 0)
    if observed < deployment["metadata"].get("generation", 0):
        return "its newest spec was not acted upon yet"
    revisions = {pod.revision for pod in pods if not pod.terminating}
    return f"{len(revisions)} ReplicaSets have pods" if len(revisions) > 1 else ""


async def refresh(api: Api, namespace: str, name: str, autoscalers: Autoscalers, now: float) -> None:
    """List other autoscalers of the Deployment, unless that was done recently."""
    if autoscalers.of == name and 0 <= now - autoscalers.at < AUTOSCALERS_SECONDS:
        return
    hpas, objects = await asyncio.gather(
        api.get(kubernetes.horizontal_pod_autoscalers(namespace), "horizontalpodautoscalers"),
        _optional(api, kubernetes.scaled_objects(namespace), "scaledobjects"),
    )
    found = []
    for kind, items in (("HorizontalPodAutoscaler", hpas), ("ScaledObject", objects)):
        for item in items.get("items", []):
            reference = item["spec"].get("scaleTargetRef", {})
            if reference.get("name") == name and reference.get("kind", "Deployment") == "Deployment":
                found.append(f"{kind}/{item['metadata']['name']}")
    autoscalers.names, autoscalers.at, autoscalers.of = tuple(sorted(found)), now, name


async def _optional(api: Api, path: str, resource: str) -> Json:
    """List a kind that may not exist, or that the operator may not list."""
    try:
        return await api.get(path, resource)
    except ApiError as error:
        if error.status in {403, 404}:
            return {}
        raise

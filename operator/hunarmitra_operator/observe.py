"""Reads what there is: the Deployment, its pods, and who else scales it."""

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
"""The least that Kubernetes takes. Also how the operator recognizes its own mark."""

RIVALS_SECONDS = 30.0


class TargetError(Exception):
    """The Deployment cannot be scaled; `reason` is one word for the condition."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(slots=True)
class Rivals:
    """Other autoscalers of the same Deployment, looked for twice a minute."""

    names: tuple[str, ...] = ()
    at: float = field(default=-RIVALS_SECONDS)
    of: str = ""
    """The Deployment that they are rivals for."""


@dataclass(frozen=True, slots=True)
class Target:
    """The Deployment's fleet, and the version of the Deployment that a scale is fenced with."""

    fleet: Fleet
    resource_version: str


async def target(api: Api, namespace: str, name: str, rivals: Rivals, now: float) -> Target:
    """Everything about the Deployment and its pods. Raises `TargetError` or `ApiError`."""
    try:
        deployment = await api.get(kubernetes.deployment(namespace, name), "deployments")
    except ApiError as error:
        if error.status == 404:
            raise TargetError(
                "TargetNotFound", f"there is no Deployment {name!r} in {namespace!r}"
            ) from error
        raise
    if deployment["metadata"].get("labels", {}).get(SCALABLE) != "true":
        raise TargetError("TargetNotLabelled", f"Deployment {name!r} lacks the label {SCALABLE}=true")
    selector = label_selector(deployment["spec"]["selector"])
    replica_sets, pods, _ = await asyncio.gather(
        api.get(kubernetes.replica_sets(namespace), "replicasets", labelSelector=selector),
        api.get(kubernetes.pods(namespace), "pods", labelSelector=selector),
        refresh(api, namespace, name, rivals, now),
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
    fleet = Fleet(replicas, seen, rollout(deployment, seen), rivals.names)
    return Target(fleet, deployment["metadata"]["resourceVersion"])


def label_selector(selector: Mapping[str, Any]) -> str:
    """A Deployment's selector as a query."""
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
    """The UID of the controlling owner of that kind, or an empty string."""
    owners = item["metadata"].get("ownerReferences") or []
    return next((o["uid"] for o in owners if o.get("controller") and o["kind"] == kind), "")


def pod_of(item: Json, revision: str) -> Pod:
    """A pod as the decision needs it."""
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
    """Why the Deployment counts as rolling out, or an empty string."""
    observed = deployment.get("status", {}).get("observedGeneration", 0)
    if observed < deployment["metadata"].get("generation", 0):
        return "its newest spec was not acted upon yet"
    revisions = {pod.revision for pod in pods if not pod.terminating}
    return f"{len(revisions)} ReplicaSets have pods" if len(revisions) > 1 else ""


async def refresh(api: Api, namespace: str, name: str, rivals: Rivals, now: float) -> None:
    """Look for other autoscalers of the Deployment, if it was not done just now. Without KEDA there are none
    of its."""
    if rivals.of == name and 0 <= now - rivals.at < RIVALS_SECONDS:
        return
    autoscalers, objects = await asyncio.gather(
        api.get(kubernetes.horizontal_pod_autoscalers(namespace), "horizontalpodautoscalers"),
        _optional(api, kubernetes.scaled_objects(namespace), "scaledobjects"),
    )
    found = []
    for kind, items in (("HorizontalPodAutoscaler", autoscalers), ("ScaledObject", objects)):
        for item in items.get("items", []):
            reference = item["spec"].get("scaleTargetRef", {})
            if reference.get("name") == name and reference.get("kind", "Deployment") == "Deployment":
                found.append(f"{kind}/{item['metadata']['name']}")
    rivals.names, rivals.at, rivals.of = tuple(sorted(found)), now, name


async def _optional(api: Api, path: str, resource: str) -> Json:
    """A list of a kind that may not exist, or that the operator may not see."""
    try:
        return await api.get(path, resource)
    except ApiError as error:
        if error.status in {403, 404}:
            return {}
        raise

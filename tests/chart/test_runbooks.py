"""What a runbook or another document tells you to touch exists in a release of that name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.chart.rendering import render_values
from tests.support.processes import REPOSITORY

DOCUMENTS = sorted(
    [
        *(REPOSITORY / "docs" / "runbooks").glob("*.md"),
        REPOSITORY / "docs/operations.md",
        REPOSITORY / "docs/scaling.md",
    ]
)
KINDS = {
    "deploy": "Deployment",
    "deployment": "Deployment",
    "statefulset": "StatefulSet",
    "sts": "StatefulSet",
    "cronjob": "CronJob",
    "service": "Service",
    "svc": "Service",
    "ingress": "Ingress",
    "hpa": "HorizontalPodAutoscaler",
    "websocketscaler": "WebSocketScaler",
    "networkpolicy": "NetworkPolicy",
    "configmap": "ConfigMap",
    "pdb": "PodDisruptionBudget",
}
NAMED = re.compile(rf"\b({'|'.join(sorted(KINDS, key=len, reverse=True))})[/ ](hunarmitra[-a-z0-9]*)", re.IGNORECASE)


def objects_of_a_release() -> set[tuple[str, str]]:
    """Everything that a release `hunarmitra` may have, with bundled servers and with external ones."""
    everything = {"http": {"autoscaling": {"enabled": True}}}
    return {
        (item["kind"], item["metadata"]["name"])
        for scenario in ("operator", "production")
        for item in render_values(everything, scenario, release="hunarmitra")
    }


def named_objects(text: str) -> set[tuple[str, str]]:
    return {(KINDS[kind.lower()], name.rstrip("-")) for kind, name in NAMED.findall(text)}


@pytest.fixture(scope="module")
def existing() -> set[tuple[str, str]]:
    return objects_of_a_release()


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.stem)
def test_every_object_that_is_named_exists(document: Path, existing: set[tuple[str, str]]) -> None:
    assert named_objects(document.read_text()) <= existing


def test_a_wrong_kind_is_found(existing: set[tuple[str, str]]) -> None:
    assert not named_objects("kubectl rollout restart deployment/hunarmitra-redis") <= existing
    assert named_objects("deploy/hunarmitra-ws, the statefulset hunarmitra-redis") <= existing

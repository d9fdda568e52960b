"""What a runbook or another document tells you to touch exists in a release of that name."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.chart.rendering import CHART, render_values
from tests.support.surroundings import REPOSITORY

DOCS = REPOSITORY / "docs"
DOCUMENTS = [*sorted((DOCS / "runbooks").glob("*.md")), DOCS / "operations.md", DOCS / "scaling.md"]
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


def test_the_table_of_other_charts_names_values_that_exist() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    table = (DOCS / "operations.md").read_text().partition("## Values of other charts")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 35
    for row in rows:
        for name in re.findall(r"`([a-zA-Z]+(?:\.[a-zA-Z]+)*)`", row[6]):
            if name not in {"restricted", "global.imageRegistry", "global.imagePullSecrets"}:
                assert exists(schema, name), name


def exists(schema: dict[str, Any], name: str) -> bool:
    """Whether values.schema.json has a value of that dotted name."""
    node = schema
    for part in name.split("."):
        if part not in node.get("properties", {}):
            return False
        node = node["properties"][part]
    return True


def test_conflicts_of_helm_4_are_explained_where_an_upgrade_is_the_remedy() -> None:
    texts = {path: path.read_text() for path in DOCUMENTS if "`helm upgrade` restores" in path.read_text()}
    assert texts
    assert all("--force-conflicts" in text for text in texts.values())

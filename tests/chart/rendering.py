"""The chart, rendered by helm, as objects."""

from __future__ import annotations

import functools
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.surroundings import REPOSITORY

CHART = REPOSITORY / "charts" / "hunarmitra"
SCENARIOS = sorted(path.stem.removesuffix("-values") for path in (CHART / "ci").glob("*-values.yaml"))
Object = dict[str, Any]
WORKLOADS = {
    "http": ("http",),
    "ws": ("ws",),
    "relay": ("relay",),
    "migrate": ("migrations",),
    "prune": ("prune",),
    "operator": ("operator",),
    "crds": ("crds",),
    "test": ("test",),
    "postgresql": ("database", "bundled"),
    "redis": ("redis", "bundled"),
}
"""Component of each workload, and where its values are."""
EXTRA_OBJECTS = {("ConfigMap", "database-ca"), ("ExternalSecret", "hunarmitra-secrets")}
"""Kind and name of what scenarios add by extraObjects."""


class RenderError(Exception):
    """What helm said."""


def values_file(scenario: str) -> Path:
    return CHART / "ci" / f"{scenario}-values.yaml"


def helm(*arguments: str) -> str:
    """The output of helm; the test is skipped where helm is not installed."""
    program = shutil.which("helm")
    if program is None:
        pytest.skip("helm is not on the PATH")
    result = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=60)
    if result.returncode:
        raise RenderError(result.stderr)
    return result.stdout


@functools.cache
def rendered_text(scenario: str, *settings: str) -> str:
    """`settings` are helm's `--set`."""
    options = ["--namespace", "hm", "--kube-version", "1.34", "--values", str(values_file(scenario))]
    return helm("template", "shop", str(CHART), *options, *(part for one in settings for part in ("--set", one)))


def render(scenario: str, *settings: str) -> list[Object]:
    return [document for document in yaml.safe_load_all(rendered_text(scenario, *settings)) if document]


def of_kind(objects: list[Object], kind: str) -> dict[str, Object]:
    return {item["metadata"]["name"]: item for item in objects if item["kind"] == kind}


def pod_templates(objects: list[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod (metadata and spec) of everything that makes pods."""
    for item in objects:
        name = f"{item['kind']}/{item['metadata']['name']}"
        if item["kind"] == "Pod":
            yield name, item
        elif item["kind"] == "CronJob":
            yield name, item["spec"]["jobTemplate"]["spec"]["template"]
        elif item["kind"] in {"Deployment", "StatefulSet", "Job"}:
            yield name, item["spec"]["template"]


def containers(pod: Object) -> list[Object]:
    return [*pod["spec"].get("initContainers", []), *pod["spec"]["containers"]]


def selects(selector: Object, labels: dict[str, str]) -> bool:
    if any(labels.get(key) != value for key, value in selector.get("matchLabels", {}).items()):
        return False
    expressions = selector.get("matchExpressions", [])
    assert all(expression["operator"] == "In" for expression in expressions)
    return all(labels.get(expression["key"]) in expression["values"] for expression in expressions)


def render_values(
    values: Object, scenario: str = "minimal", *options: str, release: str = "shop", namespace: str = "hm"
) -> list[Object]:
    """Rendered with a second values file, whose numbers and nulls helm reads otherwise than those of `--set`."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(yaml.safe_dump(values))
        file.flush()
        arguments = ["--namespace", namespace, "--kube-version", "1.34", "-f", str(values_file(scenario))]
        text = helm("template", release, str(CHART), *arguments, "-f", file.name, *options)
    return [document for document in yaml.safe_load_all(text) if document]


def deployment(objects: list[Object], component: str) -> Object:
    """The spec of the Deployment of a component."""
    [found] = [item for name, item in of_kind(objects, "Deployment").items() if name.endswith(f"-{component}")]
    return dict(found["spec"])


def pod_of(objects: list[Object], component: str) -> Object:
    """The pod (metadata and spec) of a component."""
    label = "app.kubernetes.io/component"
    [found] = [pod for _, pod in pod_templates(objects) if pod["metadata"]["labels"][label] == component]
    return found


def owner_of(objects: list[Object], component: str) -> Object:
    """What makes the pods of a component."""
    kinds = ("Deployment", "StatefulSet", "Job", "CronJob", "Pod")
    label = "app.kubernetes.io/component"
    [found] = [i for i in objects if i["kind"] in kinds and i["metadata"]["labels"].get(label) == component]
    return found


def below(path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """A tree of values that has one value, at the path."""
    for name in reversed(path):
        value = {name: value}
    return dict(value)

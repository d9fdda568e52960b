"""What follows from other files is up to date, and values.yaml says what the templates read."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from charts.generate import CHART, Value, files, read_values, served_twice
from tests.support.surroundings import REPOSITORY

VALUES = list(read_values((CHART / "values.yaml").read_text()))
TEMPLATES = "\n".join(
    path.read_text()
    for pattern in ("templates/*.yaml", "templates/*.tpl", "templates/*.txt", "templates/tests/*.yaml")
    for path in sorted(CHART.glob(pattern))
)


def test_nothing_generated_is_out_of_date() -> None:
    """Also `k8s/`, where helm is installed."""
    command = [sys.executable, "charts/generate.py", "--check"]
    result = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_every_value_is_documented() -> None:
    """A leaf without a comment would be missing in the README, and rejected by the schema."""
    documented = {value.path for value in VALUES}

    def leaves(node: object, path: tuple[str, ...] = ()) -> None:
        if path in documented:
            return
        assert isinstance(node, dict), f"{'.'.join(path)} has no `# --` comment"
        for name, child in node.items():
            leaves(child, (*path, name))

    leaves(yaml.safe_load((CHART / "values.yaml").read_text()))


@pytest.mark.parametrize("value", VALUES, ids=lambda value: ".".join(value.path))
def test_every_value_is_used(value: Value) -> None:
    """By its whole path, by its last names where a template walks over components, or as one of a list of names."""
    path = value.path
    if path == ("enabled",):
        return  # a parent chart's condition
    tails = {".".join(path[start:]) for start in range(len(path))}
    used = any(re.search(rf"[.$)\w]*\.{re.escape(tail)}\b", TEMPLATES) for tail in tails)
    assert used or f'"{path[-1]}"' in TEMPLATES, ".".join(path)


def test_every_value_that_a_template_reads_exists() -> None:
    tree = yaml.safe_load((CHART / "values.yaml").read_text())
    free = {value.path for value in VALUES if isinstance(value.default, dict)}
    for match in set(re.findall(r"\.Values\.([\w.]+)", TEMPLATES)):
        node = tree
        path: tuple[str, ...] = ()
        for name in match.rstrip(".").split("."):
            if path in free:
                break
            assert name in node, f".Values.{match}"
            node, path = node[name], (*path, name)


def test_the_schema_knows_every_setting_of_the_program() -> None:
    schema = json.loads(files()[CHART / "values.schema.json"])
    assert {"TRACKING_MIN_INTERVAL", "WS_REPLAY_PAGE_EVENTS"} <= set(
        schema["properties"]["config"]["properties"]["env"]["properties"]
    )


@pytest.mark.parametrize("folder", ["crds", "base", "migrate", "trial", "overlays/production", "overlays/trial"])
def test_the_manifests_build(folder: str) -> None:
    program = shutil.which("kubectl")
    if program is None:
        pytest.skip("kubectl is not on the PATH")
    command = [program, "kustomize", str(REPOSITORY / "k8s" / folder)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    if "unknown command" in result.stderr:
        pytest.skip("this kubectl has no kustomize")
    assert result.returncode == 0, result.stderr
    objects = list(yaml.safe_load_all(result.stdout))
    assert objects
    assert not [item for item in objects if item["kind"] == "Secret"]
    assert "helm" not in result.stdout.replace("helm test", "").lower()


def test_the_second_version_of_the_definition_is_the_text_of_the_first() -> None:
    definition = (CHART / "crds" / "websocketscalers.yaml").read_text()
    assert served_twice(definition) == definition, "generating again changes nothing"
    changed = definition.replace("Least number of replicas from start", "Fewest replicas from start", 1)
    assert served_twice(changed).count("Fewest replicas from start") == 2
    stored = served_twice(changed).partition("- name: v1beta1")[2]
    assert "storage: true" not in stored
    with pytest.raises(ValueError, match="no stored version v1alpha1"):
        served_twice(definition.replace("name: v1alpha1", "name: v1"))

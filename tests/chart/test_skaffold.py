"""skaffold.yaml is what Skaffold's schema allows, before and after each profile's patches, and what it names exists."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from tests.chart.rendering import CHART, helm, pod_templates
from tests.support.surroundings import REPOSITORY

CONFIG = yaml.safe_load((REPOSITORY / "skaffold.yaml").read_text())
SCHEMA = json.loads((Path(__file__).parent / "schemas" / "skaffold-v4beta13.json").read_text())
PROFILES = {profile["name"]: profile for profile in CONFIG["profiles"]}


def patched(profile: str) -> dict[str, Any]:
    """The configuration as Skaffold would use it: JSON patches on lists and maps, by their documented rules."""
    config = copy.deepcopy(CONFIG)
    for patch in PROFILES[profile].get("patches", []):
        *parents, last = patch["path"].strip("/").split("/")
        node = config
        for name in parents:
            node = node[int(name)] if isinstance(node, list) else node[name]
        assert patch["op"] in {"add", "replace"}
        assert patch["op"] == "add" or last in node, patch["path"]
        node[last] = patch["value"]
    return dict(config)


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_the_schema_allows_it(profile: str | None) -> None:
    """With the version's own name in apiVersion: Skaffold's schema does not check that one."""
    assert CONFIG["apiVersion"] == "skaffold/v4beta13"
    jsonschema.validate(CONFIG if profile is None else patched(profile), SCHEMA)


def test_the_profiles_are_the_documented_ones() -> None:
    assert list(PROFILES) == ["dev", "ci", "prod"]


def test_every_image_is_built_from_a_dockerfile_that_exists() -> None:
    built = {artifact["image"]: artifact for artifact in CONFIG["build"]["artifacts"]}
    assert set(built) == {"hunarmitra-http", "hunarmitra-ws", "hunarmitra-operator"}
    for artifact in built.values():
        assert (REPOSITORY / artifact.get("context", ".") / artifact["docker"]["dockerfile"]).is_file()


def test_development_builds_the_stage_whose_sources_can_be_replaced() -> None:
    for artifact in patched("dev")["build"]["artifacts"]:
        folder = REPOSITORY / artifact.get("context", ".")
        stage = artifact["docker"]["target"]
        assert f" AS {stage}\n" in (folder / artifact["docker"]["dockerfile"]).read_text()


def test_synchronized_files_land_where_the_image_has_them() -> None:
    """Each rule finds files, and the Dockerfile copies each file to the place that the rule gives it."""
    for artifact in patched("dev")["build"]["artifacts"]:
        folder = REPOSITORY / artifact.get("context", ".")
        dockerfile = (folder / artifact["docker"]["dockerfile"]).read_text()
        for rule in artifact["sync"]["manual"]:
            found = sorted(folder.glob(rule["src"]))
            assert found, rule["src"]
            assert rule["dest"] == "/app"
            copied = re.findall(r"^COPY (?!--from)(\S+) (\S+)$", dockerfile, re.MULTILINE)
            for path in found:
                source = path.relative_to(folder).as_posix()
                places = {source.replace(here, there, 1) for here, there in copied if source.startswith(f"{here}/")}
                assert source.removeprefix(rule.get("strip", "")) in places, source


def test_what_is_synchronized_restarts_the_process() -> None:
    suffixes = re.search(r"SUFFIXES = \{(.*)\}", (CHART / "files" / "reload.py").read_text())
    assert suffixes
    for artifact in patched("dev")["build"]["artifacts"]:
        for rule in artifact["sync"]["manual"]:
            assert f'"{Path(rule["src"]).suffix}"' in suffixes[1], rule["src"]


def test_synchronizing_works_in_every_pod_of_the_image() -> None:
    """Skaffold copies into each running pod of an image, and stops at the first that is read-only."""
    text = helm("template", "hunarmitra", str(CHART), *settings("dev"))
    for owner, pod in pod_templates([item for item in yaml.safe_load_all(text) if item]):
        container = pod["spec"]["containers"][0]
        if owner.startswith("Deployment/"):
            assert container["securityContext"]["readOnlyRootFilesystem"] is False, owner
            assert container["command"][:2] == ["python", "/development/reload.py"], owner
            assert not {"livenessProbe", "startupProbe"} & set(container), "a restart would lose the copies"


def settings(profile: str | None) -> list[str]:
    """What Skaffold would pass to helm for the release."""
    config = CONFIG if profile is None else patched(profile)
    [release] = config["deploy"]["helm"]["releases"]
    options = [part for file in release["valuesFiles"] for part in ("--values", str(REPOSITORY / file))]
    for name, template in release["setValueTemplates"].items():
        kind, _, image = template.strip("{}. ").partition("_hunarmitra_")
        value = f"registry.example/{image}" if kind == "IMAGE_REPO" else "v1"
        options += ["--set", f"{name}={value}"]
    for name, value in release.get("setValues", {}).items():
        text = "{" + ",".join(value) + "}" if isinstance(value, list) else json.dumps(value).strip('"')
        options += ["--set", f"{name}={text}"]
    return options


@pytest.mark.parametrize("profile", [None, *PROFILES])
def test_the_chart_takes_what_skaffold_gives_it(profile: str | None) -> None:
    name = CONFIG["deploy"]["helm"]["releases"][0]["name"]
    objects = [item for item in yaml.safe_load_all(helm("template", name, str(CHART), *settings(profile))) if item]
    services = {item["metadata"]["name"] for item in objects if item["kind"] == "Service"}
    assert {forward["resourceName"] for forward in CONFIG["portForward"]} <= services
    for owner, pod in pod_templates(objects):
        [container] = pod["spec"]["containers"]
        writable = not container["securityContext"]["readOnlyRootFilesystem"]
        changes = owner.startswith("Deployment/")
        assert writable == (profile == "dev" and changes), owner
        if "hunarmitra" in container["image"]:
            assert container["image"].startswith("registry.example/"), owner
            assert container["image"].endswith(":v1"), owner

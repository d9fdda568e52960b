"""What an upgrade meets: policies of the release before, pods that should stay, numbers and hosts of a values file."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, SCENARIOS, helm, of_kind, pod_templates, render, rendered_text, selects


def with_values(tmp_path: Path, scenario: str, values: dict[str, Any], chart: Path = CHART) -> list[dict[str, Any]]:
    """Rendered with a second values file, whose numbers are read otherwise than those of `--set`."""
    path = tmp_path / "values.yaml"
    path.write_text(yaml.safe_dump(values))
    own = CHART / "ci" / f"{scenario}-values.yaml"
    text = helm("template", "shop", str(chart), "--namespace", "hm", "-f", str(own), "-f", str(path))
    return [item for item in yaml.safe_load_all(text) if item]


def test_large_numbers_are_written_out(tmp_path: Path) -> None:
    values = {
        "ws": {
            "options": {"sendBufferBytes": 1048576, "maxConnections": 1000000},
            "resources": {"limits": {"memory": "2000Gi"}},
        },
    }
    templates = dict(pod_templates(with_values(tmp_path, "minimal", values)))
    [container] = templates["Deployment/shop-hunarmitra-ws"]["spec"]["containers"]
    environment = {item["name"]: item.get("value") for item in container["env"]}
    assert environment["WS_SEND_BUFFER_BYTES"] == "1048576"
    assert environment["WS_MAX_CONNECTIONS"] == "1000000"


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_new_chart_with_the_same_images_leaves_the_pods_alone(tmp_path: Path, scenario: str) -> None:
    newer = shutil.copytree(CHART, tmp_path / "hunarmitra")
    about = newer / "Chart.yaml"
    about.write_text(re.sub("(?m)^version: .*", "version: 9.9.9", about.read_text()))
    before = dict(pod_templates(with_values(tmp_path, scenario, {})))
    after = dict(pod_templates(with_values(tmp_path, scenario, {}, newer)))
    test = next(name for name in before if name.startswith("Pod/"))  # created again by each `helm test`
    del before[test], after[test]
    assert after == before


@pytest.mark.parametrize("component", ["crds", "migrate"])
def test_hooks_before_an_upgrade_bring_the_policy_that_they_need(component: str) -> None:
    """All other policies are those of the release before, which may deny all of it."""
    objects = render("production")
    [(_, pod)] = [found for found in pod_templates(objects) if found[0] == f"Job/shop-hunarmitra-{component}"]
    hooks = {
        name: item
        for name, item in of_kind(objects, "NetworkPolicy").items()
        if "pre-upgrade" in item["metadata"].get("annotations", {}).get("helm.sh/hook", "")
        and selects(item["spec"]["podSelector"], pod["metadata"]["labels"])
    }
    [policy] = hooks.values()
    job = of_kind(objects, "Job")[f"shop-hunarmitra-{component}"]
    weight = "helm.sh/hook-weight"
    assert int(policy["metadata"]["annotations"][weight]) < int(job["metadata"]["annotations"][weight])
    assert policy["spec"]["egress"]


def test_the_definitions_hook_runs_where_the_operator_may() -> None:
    objects = render("operator", "operator.nodeSelector.pool=tools", "operator.priorityClassName=high")
    spec = dict(pod_templates(objects))["Job/shop-hunarmitra-crds"]["spec"]
    assert spec["nodeSelector"] == {"pool": "tools"}
    assert spec["priorityClassName"] == "high"


def hosts(objects: list[dict[str, Any]]) -> tuple[list[str | None], list[str] | None]:
    [ingress] = of_kind(objects, "Ingress").values()
    [route] = of_kind(objects, "HTTPRoute").values()
    return [rule.get("host") for rule in ingress["spec"]["rules"]], route["spec"].get("hostnames")


@pytest.mark.parametrize(
    ("allowed", "named"),
    [
        ([".example.org"], ["example.org", "*.example.org"]),
        (["hunarmitra.test", "localhost", "127.0.0.1", "[::1]"], ["hunarmitra.test", "localhost"]),
        (["*"], None),
    ],
)
def test_allowed_hosts_become_hosts_that_kubernetes_takes(
    tmp_path: Path, allowed: list[str], named: list[str] | None
) -> None:
    values = {
        "config": {"allowedHosts": allowed},
        "ingress": {"enabled": True},
        "httpRoute": {"hostnames": None},
    }
    of_ingress, of_route = hosts(with_values(tmp_path, "gateway", values))
    assert of_ingress == ([None] if named is None else named)
    assert of_route == named


def test_pods_of_every_kind_take_labels_and_annotations(tmp_path: Path) -> None:
    more = {"podLabels": {"team": "a"}, "podAnnotations": {"sidecar.istio.io/inject": "false"}}
    values = dict.fromkeys(("http", "ws", "relay", "prune", "migrations", "operator"), more)
    for scenario in ("operator", "production"):
        for name, pod in pod_templates(with_values(tmp_path, scenario, values)):
            if name.startswith("StatefulSet") or name.endswith(("-crds", "-test")):
                continue
            assert pod["metadata"]["labels"]["team"] == "a", name
            assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false", name


@pytest.mark.parametrize("component", ["http", "ws", "operator"])
def test_a_component_takes_more_variables_and_volumes(tmp_path: Path, component: str) -> None:
    more: dict[str, Any] = {
        "extraEnv": [{"name": "MORE", "value": "1"}],
        "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
        "extraVolumes": [{"name": "more", "emptyDir": {}}],
        "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    }
    objects = with_values(tmp_path, "operator", {component: more})
    pod = of_kind(objects, "Deployment")[f"shop-hunarmitra-{component}"]["spec"]["template"]["spec"]
    container = pod["containers"][0]
    assert more["extraEnv"][0] in container["env"]
    assert container["envFrom"] == more["extraEnvFrom"]
    assert more["extraVolumes"][0] in pod["volumes"]
    assert more["extraVolumeMounts"][0] in container["volumeMounts"]


def test_a_migration_with_other_annotations_is_another_job(tmp_path: Path) -> None:
    [first] = of_kind(render("minimal"), "Job")
    changed = with_values(tmp_path, "minimal", {"migrations": {"podAnnotations": {"a": "b"}}})
    [second] = of_kind(changed, "Job")
    assert first != second


RELEASES = sorted((Path(__file__).parent / "releases").glob("*.yaml"), key=lambda path: path.stem)


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("release", RELEASES, ids=lambda path: path.stem)
def test_reused_values_of_an_earlier_release_get_the_defaults_that_they_lack(
    tmp_path: Path, release: Path, scenario: str
) -> None:
    """`helm upgrade --reuse-values` takes the last release's values in place of the chart's values.yaml."""
    chart = shutil.copytree(CHART, tmp_path / "hunarmitra")
    shutil.copy(release, chart / "values.yaml")
    own = CHART / "ci" / f"{scenario}-values.yaml"
    text = helm("template", "shop", str(chart), "--namespace", "hm", "--kube-version", "1.34", "-f", str(own))
    assert list(yaml.safe_load_all(text)) == list(yaml.safe_load_all(rendered_text(scenario)))


def test_reused_values_keep_what_somebody_switched_off(tmp_path: Path) -> None:
    chart = shutil.copytree(CHART, tmp_path / "hunarmitra")
    old = yaml.safe_load(RELEASES[0].read_text())
    old["http"]["pdb"]["enabled"] = False
    old["ws"]["preStopSleepSeconds"] = 0
    (chart / "values.yaml").write_text(yaml.safe_dump(old))
    objects = with_values(tmp_path, "minimal", {"relay": {"podLabels": {"a": "b"}}}, chart)
    assert "shop-hunarmitra-http" not in of_kind(objects, "PodDisruptionBudget")
    assert of_kind(objects, "Deployment")["shop-hunarmitra-relay"]["spec"]["template"]["metadata"]["labels"]["a"] == "b"

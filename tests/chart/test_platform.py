"""What platform teams expect around the workloads: networks, accounts, images, hooks, notes."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    SCENARIOS,
    WORKLOADS,
    RenderError,
    below,
    containers,
    helm,
    of_kind,
    owner_of,
    pod_of,
    pod_templates,
    render,
    render_values,
    values_file,
)
from tests.support.documents import command_of
from tests.support.surroundings import REPOSITORY


# ── network ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_policies_take_ports_of_dns_and_more_rules() -> None:
    mesh = [{"ports": [{"port": 15012, "protocol": "TCP"}]}]
    values = {"networkPolicy": {"dnsPorts": [53, 5353], "extraEgress": mesh, "extraIngress": mesh}}
    policy = of_kind(render_values(values), "NetworkPolicy")["shop-hunarmitra-default"]["spec"]
    assert [port["port"] for port in policy["egress"][0]["ports"]] == [53, 53, 5353, 5353]
    assert policy["egress"][1:] == mesh
    assert policy["ingress"] == mesh


def test_processes_listen_on_both_families() -> None:
    objects = render("operator")
    assert {"--bind=[::]:8000", "--bind=[::]:8081"} <= set(pod_of(objects, "http")["spec"]["containers"][0]["command"])
    ws = pod_of(objects, "ws")["spec"]["containers"][0]
    assert "--bind=::" in ws["command"]
    environment = {item["name"]: item.get("value") for item in ws["env"]}
    assert (environment["WS_ADMIN_HOST"], environment["WS_CONTROL_HOST"]) == ("::", "::")
    relay = {item["name"]: item.get("value") for item in pod_of(objects, "relay")["spec"]["containers"][0]["env"]}
    assert relay["METRICS_HOST"] == "::"
    old = pod_of(render("minimal", "listenAddress=0.0.0.0"), "http")["spec"]["containers"][0]
    assert "--bind=0.0.0.0:8000" in old["command"]


def test_services_have_families_and_what_load_balancers_need() -> None:
    values = {
        "services": {"ipFamilyPolicy": "PreferDualStack", "ipFamilies": ["IPv6", "IPv4"], "labels": {"a": "b"}},
        "ws": {
            "service": {
                "type": "LoadBalancer",
                "externalTrafficPolicy": "Local",
                "loadBalancerSourceRanges": ["192.0.2.0/24"],
                "loadBalancerClass": "example.org/lb",
                "nodePort": 30080,
                "annotations": {"x": "z"},
            }
        },
    }
    services = of_kind(render_values(values), "Service")
    for service in services.values():
        assert service["spec"]["ipFamilyPolicy"] == "PreferDualStack"
        assert service["spec"]["ipFamilies"] == ["IPv6", "IPv4"]
        assert service["metadata"]["labels"]["a"] == "b"
    spec = services["shop-hunarmitra-ws"]["spec"]
    assert spec["externalTrafficPolicy"] == "Local"
    assert spec["loadBalancerSourceRanges"] == ["192.0.2.0/24"]
    assert spec["loadBalancerClass"] == "example.org/lb"
    assert spec["ports"][0]["nodePort"] == 30080
    assert services["shop-hunarmitra-ws"]["metadata"]["annotations"] == {"x": "z"}
    assert "loadBalancerSourceRanges" not in services["shop-hunarmitra-http"]["spec"]


# ── accounts, priority, images ──────────────────────────────────────────────────────────────────────────────
def test_accounts_have_names_and_annotations() -> None:
    values: dict[str, Any] = {
        "serviceAccount": {"name": "app", "annotations": {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/x"}},
        "operator": {"serviceAccount": {"name": "scaler", "annotations": {"a": "b"}}},
    }
    objects = render_values(values, "operator")
    accounts = of_kind(objects, "ServiceAccount")
    assert accounts["app"]["metadata"]["annotations"] == values["serviceAccount"]["annotations"]
    assert accounts["scaler"]["metadata"]["annotations"] == {"a": "b"}
    assert pod_of(objects, "ws")["spec"]["serviceAccountName"] == "app"
    assert of_kind(objects, "RoleBinding")["shop-hunarmitra-operator"]["subjects"][0]["name"] == "scaler"
    [policy] = of_kind(objects, "ValidatingAdmissionPolicy").values()
    assert policy["spec"]["matchConditions"][0]["expression"].endswith("'system:serviceaccount:hm:scaler'")


def test_an_account_that_exists_also_serves_the_migration() -> None:
    values = {"serviceAccount": {"create": False, "name": "mine"}}
    objects = render_values(values, "production")
    assert pod_of(objects, "migrate")["spec"]["serviceAccountName"] == "mine"
    assert "mine" not in of_kind(objects, "ServiceAccount")


def test_priority_classes_that_are_named_exist() -> None:
    for scenario in SCENARIOS:
        objects = render(scenario)
        named = {
            pod["spec"]["priorityClassName"] for _, pod in pod_templates(objects) if "priorityClassName" in pod["spec"]
        }
        assert named <= set(of_kind(objects, "PriorityClass")), scenario
    assert of_kind(render("production"), "PriorityClass")


def test_the_global_registry_reaches_every_image() -> None:
    for _, pod in pod_templates(render("operator", "global.imageRegistry=r.example:5000/x")):
        for container in containers(pod):
            assert container["image"].startswith("r.example:5000/x/"), container["image"]
            assert "docker.io" not in container["image"]


def test_the_chart_describes_itself() -> None:
    """With one address of the repository, `home`: the alerts lead there too."""
    text = (CHART / "Chart.yaml").read_text()
    chart = yaml.safe_load(text)
    assert chart["icon"].startswith("data:image/svg+xml")
    assert chart["home"].startswith("https://")
    assert "sources" not in chart
    links = yaml.safe_load(chart["annotations"]["artifacthub.io/links"])
    assert all(link["url"].startswith(f"{chart['home']}/blob/main/docs/") for link in links)
    assert all((REPOSITORY / link["url"].partition("/blob/main/")[2]).is_file() for link in links)
    for name in ("artifacthub.io/crds", "artifacthub.io/links", "artifacthub.io/changes"):
        assert yaml.safe_load(chart["annotations"][name])
    assert chart["version"] == yaml.safe_load((CHART / "values.yaml").read_text())["valuesVersion"]


def test_the_readme_installs_as_the_page_for_operators_does() -> None:
    readme = (CHART / "README.md").read_text()
    [shown] = re.findall(r"^```bash\n# A trial.*?\n(.*?)^```$", readme, re.MULTILINE | re.DOTALL)
    assert shown == command_of("operations.md", "helm install hm")


# ── hooks and extra objects ─────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("component", ["migrate", "crds", "test"])
def test_hooks_take_annotations_and_labels(component: str) -> None:
    own = {"annotations": {"a": "b"}, "podAnnotations": {"sidecar.istio.io/inject": "false"}, "podLabels": {"c": "d"}}
    objects = render_values(below(WORKLOADS[component], own), "production")
    owner, pod = owner_of(objects, component), pod_of(objects, component)
    assert owner["metadata"]["annotations"]["a"] == "b"
    assert "helm.sh/hook" in owner["metadata"]["annotations"]
    assert pod["metadata"]["annotations"]["sidecar.istio.io/inject"] == "false"
    assert pod["metadata"]["labels"]["c"] == "d"


def test_hook_jobs_are_deleted_however_they_end() -> None:
    """A Job that outlives its release would migrate later."""
    for job in of_kind(render("production"), "Job").values():
        policies = job["metadata"]["annotations"]["helm.sh/hook-delete-policy"].split(",")
        assert {"hook-succeeded", "hook-failed", "before-hook-creation"} == set(policies)
        assert job["metadata"]["annotations"]["helm.sh/hook-output-log-policy"] == "hook-failed"


SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "hunarmitra-secrets"}, "stringData": {}}
EXTERNAL = {
    "apiVersion": "external-secrets.io/v1",
    "kind": "ExternalSecret",
    "metadata": {"name": "anything"},
    "spec": {"target": {"name": "hunarmitra-secrets"}},
}
HOOK = {"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-weight": "-20"}


@pytest.mark.parametrize("made", [SECRET, EXTERNAL], ids=["Secret", "ExternalSecret"])
@pytest.mark.parametrize(
    "annotations",
    [{}, {"helm.sh/hook": "pre-install"}, HOOK | {"helm.sh/hook-weight": "-5"}],
    ids=["none", "half", "late"],
)
def test_a_secret_that_comes_after_the_migration_is_an_error(made: Any, annotations: dict[str, str]) -> None:
    made = made | {"metadata": made["metadata"] | {"annotations": annotations}}
    with pytest.raises(RenderError, match=r"the migration reads \w+ hunarmitra-secrets, but runs before"):
        render_values({"extraObjects": [made]}, "production")


@pytest.mark.parametrize("made", [SECRET, EXTERNAL], ids=["Secret", "ExternalSecret"])
def test_a_secret_that_comes_before_the_migration_is_taken(made: Any) -> None:
    made = made | {"metadata": made["metadata"] | {"annotations": HOOK}}
    assert render_values({"extraObjects": [made]}, "production")
    other = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other"}}
    assert render_values({"extraObjects": [other]}, "production")


# ── clusters without a kind, and notes ──────────────────────────────────────────────────────────────────────
LIVE = ("--api-versions", "apps/v1/Deployment")


@pytest.mark.parametrize("switch", ["podMonitors", "rules", "inhibitRules"])
def test_a_kind_that_the_cluster_lacks_is_named_with_its_switch(switch: str) -> None:
    others = {"podMonitors": False, "rules": False, "inhibitRules": False} | {switch: True}
    with pytest.raises(RenderError, match=rf"monitoring\.{switch} is true, but this cluster does not have the kind"):
        render_values({"monitoring": others}, "production", *LIVE)
    assert render_values({"monitoring": others | {switch: False}}, "production", *LIVE)


def notes(tmp_path: Path, scenario: str, values: dict[str, Any]) -> str:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.safe_dump(values))
    return helm("install", "shop", str(CHART), "--dry-run=client", "-f", str(values_file(scenario)), "-f", str(file))


@pytest.mark.parametrize(("tls", "http", "ws"), [([], "http://", "ws://"), ([{"hosts": ["x"]}], "https://", "wss://")])
def test_the_notes_say_ws_without_tls(tmp_path: Path, tls: list[Any], http: str, ws: str) -> None:
    text = notes(tmp_path, "operator", {"ingress": {"tls": tls}})
    assert f"{http}hunarmitra.test/api/v1/" in text
    assert f" {ws}hunarmitra.test/ws/bookings/" in text


def test_the_notes_have_a_first_connection_and_an_administrator(tmp_path: Path) -> None:
    for scenario in ("minimal", "operator"):
        text = notes(tmp_path, scenario, {})
        assert "createsuperuser --username admin --name" in text
        assert "wscat " in text
        assert "/api/v1\n" in text
        assert "$API/auth/token/" in text
        assert ' -s jwt -s "$TOKEN" -c "ws' in text, "no access log has the token"
        assert "delete that claim first" in text

"""What platform teams expect of any chart: names, maps, nulls, security contexts, families, images, namespaces."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.chart.rendering import (
    CHART,
    EXTRA_OBJECTS,
    SCENARIOS,
    WORKLOADS,
    RenderError,
    below,
    containers,
    deployment,
    helm,
    of_kind,
    owner_of,
    pod_of,
    pod_templates,
    render,
    render_values,
)

every_workload = pytest.mark.parametrize("component", WORKLOADS)


def strings(node: Any, key: str) -> list[Any]:
    """Every value of every map called `key`."""
    found: list[Any] = []
    if isinstance(node, dict):
        if isinstance(node.get(key), dict):
            found += node[key].values()
        found += [one for child in node.values() for one in strings(child, key)]
    elif isinstance(node, list):
        found += [one for child in node for one in strings(child, key)]
    return found


# ── names, labels, annotations ──────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("release", "override"), [("123", ""), ("shop", "2024"), ("1e3", "7"), ("true", "")])
def test_names_and_labels_are_texts_that_kubernetes_takes(release: str, override: str) -> None:
    for scenario in ("operator", "production"):
        objects = render_values({"nameOverride": override}, scenario, release=release, namespace="456")
        for item in objects:
            assert isinstance(item["metadata"]["name"], str)
            assert isinstance(item["metadata"].get("namespace", ""), str)
            for key in ("labels", "matchLabels", "annotations", "nodeSelector"):
                assert all(isinstance(value, str) for value in strings(item, key)), item["metadata"]["name"]
        for name in of_kind(objects, "Service"):
            assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", name)


@pytest.mark.parametrize(
    "setting",
    [
        "podAnnotations.x=8",
        "http.podAnnotations.x=8",
        "ws.podLabels.x=true",
        "commonLabels.x=1",
        "services.annotations.x=1",
        "http.service.annotations.x=1",
        "ingress.annotations.x=1",
        "relay.nodeSelector.x=1",
        "serviceAccount.annotations.x=1",
    ],
)
def test_a_number_where_kubernetes_wants_a_text_is_an_error_of_the_schema(setting: str) -> None:
    path = setting if not setting.startswith("podAnnotations") else f"workloads.{setting}"
    with pytest.raises(RenderError, match="want string"):
        render("minimal", path)


def test_long_names_stay_different() -> None:
    long = "a-release-name-that-is-quite-as-long-as-helm-allows"
    first, second = (
        {item["metadata"]["name"] for item in render_values({}, "operator", release=long[:52] + letter)}
        for letter in "xy"
    )
    assert not first & second
    assert all(len(name) <= 63 for name in first if "." not in name)


def test_cluster_scoped_names_of_two_releases_differ() -> None:
    def names(release: str, namespace: str) -> set[str]:
        values = {"priorityClass": {"create": True}, "fullnameOverride": release}
        objects = render_values(values, "production", release=release, namespace=namespace)
        found = {item["metadata"]["name"] for item in objects if "namespace" not in item["metadata"]}
        assert len(found) == 3
        return found

    assert not names("prod", "hm") & names("x", "hm-prod")
    assert not names("prod-x", "hm") & names("x", "hm-prod")


def test_a_policy_is_of_one_namespace() -> None:
    [policy] = of_kind(render_values({}, "operator", namespace="team-a"), "ValidatingAdmissionPolicy").values()
    [condition] = policy["spec"]["matchConditions"]
    assert ":team-a:" in condition["expression"]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_every_object_says_its_namespace(scenario: str) -> None:
    cluster = {"ClusterRole", "ClusterRoleBinding", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}
    for item in render(scenario):
        if (item["kind"], item["metadata"]["name"]) in EXTRA_OBJECTS:
            continue
        scoped = item["kind"] not in cluster | {"PriorityClass"}
        assert item["metadata"].get("namespace") == ("hm" if scoped else None), item["metadata"]["name"]


# ── values of every workload ────────────────────────────────────────────────────────────────────────────────
MORE: dict[str, Any] = {
    "annotations": {"reloader.stakater.com/auto": "true"},
    "labels": {"team": "a"},
    "podAnnotations": {"sidecar.istio.io/inject": "false"},
    "podLabels": {"cost": "b"},
    "nodeSelector": {"pool": "x"},
    "tolerations": [{"key": "x", "operator": "Exists"}],
    "priorityClassName": "high",
    "runtimeClassName": "gvisor",
    "schedulerName": "other",
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["db"]}],
    "dnsPolicy": "None",
    "dnsConfig": {"nameservers": ["10.0.0.2"]},
    "serviceAccountName": "mine",
    "initContainers": [{"name": "first", "image": "{{ .Release.Name }}/first"}],
    "extraContainers": [{"name": "beside", "image": "beside"}],
    "extraEnv": [{"name": "MORE", "value": "1"}],
    "extraEnvFrom": [{"configMapRef": {"name": "more"}}],
    "extraVolumes": [{"name": "more", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "more", "mountPath": "/more"}],
    "affinity": {"nodeAffinity": {}},
    "revisionHistoryLimit": 3,
    "ttlSecondsAfterFinished": 60,
}


@every_workload
@pytest.mark.parametrize("everywhere", [False, True])
def test_every_workload_takes_the_same_values(component: str, everywhere: bool) -> None:
    path = ("workloads",) if everywhere else WORKLOADS[component]
    objects = render_values(below(path, MORE), "operator")
    owner, pod = owner_of(objects, component), pod_of(objects, component)
    spec = pod["spec"]
    assert MORE["annotations"].items() <= owner["metadata"]["annotations"].items()
    assert MORE["labels"].items() <= owner["metadata"]["labels"].items()
    assert MORE["podAnnotations"].items() <= pod["metadata"]["annotations"].items()
    assert MORE["podLabels"].items() <= pod["metadata"]["labels"].items()
    same = ("nodeSelector", "tolerations", "priorityClassName", "runtimeClassName", "schedulerName", "hostAliases")
    for key in (*same, "dnsPolicy", "dnsConfig", "serviceAccountName", "affinity"):
        assert spec[key] == MORE[key], key
    assert spec["initContainers"][-1] == {"name": "first", "image": "shop/first"}
    assert spec["containers"][1] == MORE["extraContainers"][0]
    container = spec["containers"][0]
    assert MORE["extraEnv"][0] in container["env"]
    assert container["envFrom"] == MORE["extraEnvFrom"]
    assert MORE["extraVolumes"][0] in spec["volumes"]
    assert MORE["extraVolumeMounts"][0] in container["volumeMounts"]
    if owner["kind"] in {"Deployment", "StatefulSet"}:
        assert owner["spec"]["revisionHistoryLimit"] == 3
    if owner["kind"] in {"Job", "CronJob"}:
        job = owner["spec"].get("jobTemplate", owner)["spec"]
        assert job["ttlSecondsAfterFinished"] == 60


@every_workload
def test_a_workload_adds_to_what_all_have(component: str) -> None:
    values = {
        "workloads": {"podLabels": {"a": "1", "b": "1"}, "tolerations": [{"key": "x"}], "extraEnv": [{"name": "A"}]}
    }
    own = {"podLabels": {"b": "2"}, "tolerations": [{"key": "own"}], "extraEnv": [{"name": "B"}]}
    pod = pod_of(render_values(values | below(WORKLOADS[component], own), "operator"), component)
    labels = pod["metadata"]["labels"]
    assert (labels["a"], labels["b"]) == ("1", "2")
    assert pod["spec"]["tolerations"] == [{"key": "own"}]
    assert [item["name"] for item in pod["spec"]["containers"][0]["env"]][-2:] == ["A", "B"]


def test_commands_run_where_http_runs_unless_they_say_otherwise() -> None:
    values = {
        "http": {"nodeSelector": {"pool": "web"}, "extraEnv": [{"name": "A"}]},
        "prune": {"nodeSelector": {"pool": "x"}},
    }
    objects = render_values(values, "operator")
    for component, pool in (("relay", "web"), ("migrate", "web"), ("test", "web"), ("prune", "x")):
        pod = pod_of(objects, component)
        assert pod["spec"]["nodeSelector"] == {"pool": pool}
        assert {"name": "A"} in pod["spec"]["containers"][0]["env"]
    assert "nodeSelector" not in pod_of(objects, "ws")["spec"]


# ── null, and other shapes ──────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    "path",
    [
        "global",
        "commonLabels",
        "image.pullSecrets",
        "config.env",
        "config.allowedOrigins",
        "http.resources",
        "ws.resources",
        "ws.resources.limits",
        "operator.resources",
        "http.readinessProbe",
        "http.livenessProbe",
        "http.startupProbe",
        "ws.livenessProbe",
        "relay.livenessProbe",
        "http.strategy",
        "http.pdb.maxUnavailable",
        "http.topologySpreadConstraints",
        "http.podAnnotations",
        "ws.preStopSleepSeconds",
        "ws.autoscaling.spec",
        "workloads.podSecurityContext",
        "workloads.securityContext",
        "workloads",
        "services",
        "extraObjects",
        "networkPolicy.dnsPorts",
        "test.resources",
        "crds.resources",
        "database.bundled.resources",
    ],
)
def test_null_means_none(path: str) -> None:
    values = below(tuple(path.split(".")), None)
    if path.endswith("maxUnavailable"):
        values["http"]["pdb"]["minAvailable"] = 1
    objects = render_values(values, "operator")
    assert "<nil>" not in yaml.safe_dump(objects)
    component, _, last = path.partition(".")
    if last.endswith("Probe") or last == "resources":
        container = pod_of(objects, component)["spec"]["containers"][0] if component in WORKLOADS else {}
        assert last not in container


def test_lint_without_values_passes() -> None:
    """The sentence about what is missing is a message, not an error."""
    assert "0 chart(s) failed" in helm("lint", str(CHART))


@pytest.mark.parametrize("settings", [("global.imagePullSecrets[0]=x",), ("image.pullSecrets[0].name=x",)])
def test_pull_secrets_are_names_or_objects(settings: tuple[str, ...]) -> None:
    for _, pod in pod_templates(render("operator", *settings)):
        assert pod["spec"]["imagePullSecrets"] == [{"name": "x"}]


def test_a_probe_may_have_a_handler_of_its_own() -> None:
    values = {"http": {"readinessProbe": {"tcpSocket": {"port": "public"}}}}
    container = pod_of(render_values(values), "http")["spec"]["containers"][0]
    assert container["readinessProbe"]["tcpSocket"] == {"port": "public"}
    assert "httpGet" not in container["readinessProbe"]


@pytest.mark.parametrize("component", ["http", "ws", "relay"])
def test_recreate_has_no_rolling_update(component: str) -> None:
    objects = render("minimal", f"{component}.strategy.type=Recreate")
    assert deployment(objects, component)["strategy"] == {"type": "Recreate"}


@pytest.mark.parametrize("component", ["http", "ws", "relay"])
def test_a_budget_may_say_how_many_stay(component: str) -> None:
    budget = of_kind(render("minimal", f"{component}.pdb.minAvailable=50%"), "PodDisruptionBudget")
    spec = budget[f"shop-hunarmitra-{component}"]["spec"]
    assert spec["minAvailable"] == "50%"
    assert "maxUnavailable" not in spec


# ── security contexts ───────────────────────────────────────────────────────────────────────────────────────
def test_users_can_be_left_to_the_cluster() -> None:
    for name, pod in pod_templates(render("openshift")):
        context = pod["spec"]["securityContext"]
        assert not {"runAsUser", "runAsGroup", "fsGroup"} & set(context), name
        assert context["runAsNonRoot"] is True, name
        for container in containers(pod):
            assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}, name


@pytest.mark.parametrize("component", ["http", "postgresql", "operator"])
def test_security_contexts_are_values_of_each_workload(component: str) -> None:
    own = {"podSecurityContext": {"runAsUser": 1000650000, "fsGroup": None}, "securityContext": {"privileged": False}}
    pod = pod_of(render_values(below(WORKLOADS[component], own), "operator"), component)["spec"]
    if component != "postgresql":
        assert pod["securityContext"]["runAsUser"] == 1000650000
    assert "fsGroup" not in pod["securityContext"]
    assert pod["containers"][0]["securityContext"]["privileged"] is False

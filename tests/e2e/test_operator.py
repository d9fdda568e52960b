"""The operator in the chart: it owns the number of ws pods, with the least rights, and goes without a trace."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.e2e import in_pods
from tests.e2e.cluster import CommandError, Release, delete_namespace, get, kubectl, make_namespace, names_of, run
from tests.e2e.test_smoke import MOST_MIB
from tests.support.eventually import eventually
from tests.support.surroundings import REPOSITORY

SETTINGS = (
    "operator.enabled=true",
    "ws.autoscaling.enabled=true",
    "ws.autoscaling.maxReplicas=3",
    "ws.autoscaling.targetConnections=400",
)
NOT_IN = ["django", "rest_framework", "channels", "twisted", "gunicorn", "psycopg", "hunarmitra", "pip"]
NAMESPACE = "hunarmitra-e2e-operator"
DEFINITION = "crd/websocketscalers.realtime.hunarmitra.io"
SCALER = "websocketscaler/shop-hunarmitra-ws"


@pytest.fixture(scope="module")
def scaled() -> Iterator[Release]:
    """A release of its own, with the operator from the beginning."""
    installed = Release(namespace=NAMESPACE)
    delete_namespace(NAMESPACE)
    make_namespace(NAMESPACE)
    try:
        installed.apply("install", "ingress.enabled=false", *SETTINGS)
        yield installed
    finally:
        delete_namespace(NAMESPACE)


def conditions() -> dict[str, str]:
    status = get(SCALER, namespace=NAMESPACE).get("status", {})
    return {item["type"]: item["status"] for item in status.get("conditions", [])}


def replicas() -> Any:
    return get("deployment/shop-hunarmitra-ws", namespace=NAMESPACE)["spec"]["replicas"]


def test_it_looks_after_the_ws_pods(scaled: Release) -> None:
    """Through the network policies and with the token of the control port: it sees the pods, and keeps the minimum."""
    eventually(lambda: conditions().get("Ready") == "True", 60, "the scaler is ready", 0.5)
    eventually(lambda: replicas() == 2, 60, "the minimum of pods", 0.5)
    eventually(lambda: get(SCALER, namespace=NAMESPACE)["status"].get("pods") == "2/2", 60, "both are read", 0.5)
    assert conditions()["MetricsStale"] == "False"


def test_its_image_holds_only_what_it_needs(scaled: Release) -> None:
    found = scaled.call("operator", in_pods.look_inside, absent=NOT_IN)
    assert found.pop("mib") <= MOST_MIB["operator"]
    assert found == {"uid": 10001, "modules": [], "compilers": [], "root": False, "tmp": True, "token": True}


@pytest.mark.timeout(240)
def test_an_upgrade_leaves_the_number_of_pods_to_it(scaled: Release) -> None:
    """The hook brings the definition up to date, and takes its rights away with it."""
    kubectl("patch", SCALER, "--type=merge", "--patch", '{"spec": {"minReplicas": 3}}', namespace=NAMESPACE)
    eventually(lambda: replicas() == 3, 60, "the operator scaled up", 0.5)
    scaled.apply("upgrade", "ingress.enabled=false", "ws.autoscaling.minReplicas=3", *SETTINGS)
    assert replicas() == 3
    managers = "jsonpath={.metadata.managedFields[*].manager}"
    definition = run("kubectl", "get", DEFINITION, "--show-managed-fields", f"--output={managers}")
    assert "hunarmitra-chart" in definition.split()
    roles = get("clusterroles")["items"]
    assert not [role for role in roles if role["metadata"]["name"].startswith(NAMESPACE)]


def test_it_may_do_nothing_else(scaled: Release) -> None:
    account = f"--as=system:serviceaccount:{NAMESPACE}:shop-hunarmitra-operator"
    pod = scaled.pod_names("http")[0]
    for verb, what in (
        ("get", "secrets"),
        ("delete", "pods"),
        ("create", "pods"),
        ("update", "deployments/shop-hunarmitra-ws"),
        ("update", "deployments/shop-hunarmitra-http"),
    ):
        with pytest.raises(CommandError):
            kubectl("auth", "can-i", verb, what, account, namespace=NAMESPACE)
    cost = {"annotations": {"controller.kubernetes.io/pod-deletion-cost": "-5"}}
    for metadata, said in (
        (cost, "200"),
        ({"labels": {"a": "b"}}, "may not change the labels"),
        ({"annotations": {"a": "b"}}, "may change only one annotation"),
    ):
        patch = {"metadata": metadata}
        assert said in scaled.call("operator", in_pods.patch_pod, namespace=NAMESPACE, pod=pod, patch=patch)


@pytest.mark.timeout(240)
def test_an_uninstall_does_not_hang(scaled: Release) -> None:
    scaled.helm("uninstall", "--wait", "--timeout", "2m")
    assert get("websocketscalers", namespace=NAMESPACE)["items"] == []
    policies = run("kubectl", "get", "validatingadmissionpolicies", "--output=name")
    assert NAMESPACE not in policies
    assert get(DEFINITION), "the definition is kept"


def test_the_documented_command_deletes_what_an_uninstall_leaves(scaled: Release) -> None:
    eventually(lambda: not scaled.pods("operator"), 60, "the operator's end", 0.5)
    assert names_of(get("leases", namespace=NAMESPACE)["items"]) == {"Lease/shop-hunarmitra-operator"}
    [command] = re.findall(
        r"`kubectl -n hunarmitra (delete lease .+?)`", (REPOSITORY / "docs/operations.md").read_text()
    )
    kubectl(*command.replace("hm-", "shop-").split(), namespace=NAMESPACE)
    assert get("leases", namespace=NAMESPACE)["items"] == []

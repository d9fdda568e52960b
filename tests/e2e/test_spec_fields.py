"""`spec.metrics`, `spec.prediction` and both versions of the WebSocketScaler, on an API server.

The ws pods are scaled by the numbers that they report. A stand-in, the example of the admin protocol, reports a number
that a test chooses.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from functools import partial
from typing import Any

import pytest

from tests.e2e import in_pods
from tests.e2e.cluster import CommandError, get, kubectl
from tests.e2e.conftest import People, installed, people_of
from tests.e2e.scaling.fleet import until
from tests.e2e.scaling.target import Target
from tests.e2e.watching import Crowd, Traffic
from tests.support.eventually import eventually
from tests.support.surroundings import REPOSITORY

pytestmark = pytest.mark.timeout(600)
NAMESPACE = "hunarmitra-e2e-fields"
HOST = "fields.hunarmitra.test"
SETTINGS = ("operator.enabled=true", f"operator.watchNamespaces={{{NAMESPACE}}}", "ws.replicas=1")
GROUP = "realtime.hunarmitra.io"
VERSIONS = ("v1alpha1", "v1beta1")
WATCHERS, BOOKINGS = 8, 4
"""So few that connections alone need one pod."""
METRIC = "load_average"
CHOSEN = """
import os, pathlib
chosen = pathlib.Path("/tmp/load")
os.getloadavg = lambda: (float(chosen.read_text()) if chosen.exists() else 0.0, 0.0, 0.0)
os.environ |= {"TOKEN": pathlib.Path("/run/secrets/hunarmitra/token").read_text().split()[0], "WINDOW": "5"}
"""
"""Begins the program of the stand-in: its load average is the number in a file."""
POD = REPOSITORY / "operator" / "examples" / "pod.py"


@pytest.fixture(scope="module")
def fields() -> Iterator[Target]:
    """A release with the operator, whose rights cover any Deployment of the namespace."""
    with installed(Target(NAMESPACE, host=HOST, resource="deployment"), *SETTINGS) as release:
        assert isinstance(release, Target)
        yield release


@pytest.fixture(scope="module")
def everybody(fields: Target) -> Iterator[People]:
    with people_of(fields) as found:
        yield found


# ── refused by the API server ───────────────────────────────────────────────────────────────────────────────
def metrics(*items: dict[str, Any]) -> dict[str, Any]:
    return {"metrics": list(items)}


def a_metric(name: str = METRIC, target: object = 5) -> dict[str, Any]:
    return {"name": name, "targetPerPod": target}


PODS = [{"type": "Pods", "value": 1, "periodSeconds": 60}]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (metrics(a_metric("connections")), "connections are always a metric; set their target in connectionsPerPod"),
        (metrics(a_metric(), a_metric()), f'spec.metrics[1]: Duplicate value: {{"name":"{METRIC}"}}'),
        (metrics(a_metric("Load-Average")), "spec.metrics[0].name in body should match '^[a-z][a-z0-9_]*$'"),
        (metrics(a_metric(target=0)), "spec.metrics[0].targetPerPod in body should be greater than or equal to 1"),
        (metrics(a_metric(target=1.5)), "spec.metrics[0].targetPerPod in body must be of type integer"),
        (metrics({"name": METRIC}), "spec.metrics[0].targetPerPod: Required value"),
        (metrics(*(a_metric(f"number_{number}") for number in range(9))), "must have at most 8 items"),
        (metrics(a_metric() | {"target": 5}), 'unknown field "spec.metrics[0].target"'),
        ({"prediction": {"mode": "On"}}, 'Unsupported value: "On": supported values: "Off", "Observe", "Apply"'),
        ({"prediction": {"mode": False}}, "spec.prediction.mode in body must be of type string"),
        ({"prediction": {"leadMinutes": 0}}, "leadMinutes in body should be greater than or equal to 1"),
        ({"prediction": {"leadMinutes": 121}}, "leadMinutes in body should be less than or equal to 120"),
        ({"prediction": {"maxExtraReplicas": 0}}, "maxExtraReplicas in body should be greater than or equal to 1"),
        ({"prediction": {"timeZone": "India Standard Time"}}, "timeZone in body should match"),
        ({"prediction": {"lead": 5}}, 'unknown field "spec.prediction.lead"'),
        (
            {"scaleUp": {"policies": PODS}, "behavior": {"scaleUp": {"policies": PODS}}},
            "behavior.scaleUp.policies and scaleUp.policies are both set; remove one of them",
        ),
    ],
)
def test_a_spec_that_makes_no_sense_is_refused(
    fields: Target, version: str, change: dict[str, Any], complaint: str
) -> None:
    manifest = fields.scaler_of("Deployment", "apps/v1", version=version)
    manifest["spec"] |= change
    with pytest.raises(CommandError) as error:
        kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(manifest), namespace=NAMESPACE)
    assert complaint in str(error.value)


def test_what_the_documents_show_is_accepted(fields: Target) -> None:
    manifest = fields.scaler_of("Deployment", "apps/v1", version="v1beta1")
    manifest["spec"] |= metrics(a_metric("event_loop_delay_ms", 50), a_metric("deliveries_per_second", 2000))
    manifest["spec"] |= {"prediction": {"mode": "Observe", "leadMinutes": 10, "timeZone": "Asia/Kolkata"}}
    kubectl("create", "--dry-run=server", "--filename=-", stdin=json.dumps(manifest), namespace=NAMESPACE)


# ── ws pods ─────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
async def crowd(fields: Target, people: People) -> AsyncIterator[Crowd]:
    """Watchers on the one pod of a Deployment that the operator scales, whose server can be stopped for a moment."""

    def begin() -> list[str]:
        workload = fields.pods_like_ws("Deployment")
        workload["spec"]["template"]["spec"]["shareProcessNamespace"] = True
        fields.create(workload, fields.scaler_of("Deployment", "apps/v1"))
        eventually(lambda: fields.condition("Ready") and fields.in_service(1), 120, "the pod is in service", 0.5)
        kubectl("scale", f"deployment/{fields.full('ws')}", "--replicas=0", namespace=NAMESPACE)
        eventually(lambda: len(fields.pods("ws")) == 1, 120, "only the pod of the test is left", 0.5)
        return people.bookings(BOOKINGS)

    bookings = await asyncio.to_thread(begin)
    try:
        async with Crowd(fields.booking_url, people.employer.token, bookings, WATCHERS) as watching:
            yield watching
    finally:
        kubectl("delete", fields.scaler_name, fields.deployment, "--timeout=60s", namespace=NAMESPACE)


async def test_ws_pods_are_added_for_deliveries_and_for_a_late_event_loop(
    fields: Target, people: People, crowd: Crowd
) -> None:
    """Connections need one pod all the time."""
    bookings = list(crowd.watchers)
    fields.change(**metrics(a_metric("deliveries_per_second", 1)))
    with Traffic(people.admin, people.workers, bookings, per_second=4):
        await until(partial(grown, fields, "deliveries_per_second", 2), 120, "a pod for the deliveries")
        await until(lambda: fields.in_service(2), 120, "it is in service")
    assert "ScalingUp" in await asyncio.to_thread(fields.events)

    await asyncio.to_thread(fields.change, minReplicas=2, **metrics(a_metric("event_loop_delay_ms", 20)))

    def held_up() -> bool:
        for pod in fields.pod_names("ws"):
            fields.call(f"pod/{pod}", in_pods.hold_up_server, seconds=4, stopped=0.6, running=0.2)
        return grown(fields, "event_loop_delay_ms", 3)

    await until(held_up, 180, "a pod for the event loop's delay")


def grown(target: Target, metric: str, replicas: int) -> bool:
    """Return whether the operator asked for so many replicas because of the metric, and says so in every place."""
    status = target.status()
    assert status["decidedBy"] == metric, status
    assert status["desiredReplicas"] >= replicas, status
    [asked] = [item for item in status["metrics"] if item["name"] == metric]
    assert asked["replicas"] == status["recommendedReplicas"] >= replicas, status
    assert float(asked["averagePerPod"]) > asked["targetPerPod"], status
    assert f"as {metric} is " in status["message"] or f"; {metric} is " in status["message"], status
    return target.replicas() >= replicas


# ── a stand-in ──────────────────────────────────────────────────────────────────────────────────────────────
class StandIn(Target):
    """A Deployment of pods that run the example of the admin protocol, without clients."""

    def workload(self) -> dict[str, Any]:
        found = self.pods_like_ws("Deployment")
        pod = found["spec"]["template"]["spec"]
        pod.pop("initContainers", None)
        pod["terminationGracePeriodSeconds"] = 1
        [container] = pod["containers"]
        for key in ("startupProbe", "livenessProbe", "lifecycle", "env"):
            container.pop(key, None)
        ready = {"httpGet": {"path": "/readyz", "port": "control"}, "periodSeconds": 1, "failureThreshold": 1}
        container |= {"command": ["python", "-c", CHOSEN + POD.read_text()], "readinessProbe": ready}
        return found

    def report(self, value: str) -> bool:
        """Let every pod that is ready report this number."""
        names = [pod["metadata"]["name"] for pod in self.living()]
        for name in names:
            self.execute(f"pod/{name}", "sh", "-c", f"echo {value} > /tmp/load")
        return bool(names)


@pytest.fixture(scope="module")
def standing(fields: Target) -> StandIn:
    """One pod, and its scaler, which is created as `v1beta1`."""
    made = StandIn(NAMESPACE, host=HOST, target="standing", resource="deployment", secret_key=fields.secret_key)
    kubectl("scale", f"deployment/{fields.full('ws')}", "--replicas=0", namespace=NAMESPACE)
    scaler = made.scaler_of("Deployment", "apps/v1", version="v1beta1")
    scaler["spec"] |= metrics(a_metric())
    made.create(made.workload(), scaler)
    eventually(lambda: made.condition("Ready") and made.in_service(1), 120, "the stand-in is in service", 0.5)
    return made


def in_version(name: str, version: str) -> Any:
    return get(f"websocketscalers.{version}.{GROUP}/{name}", namespace=NAMESPACE)


def test_a_resource_is_the_same_in_both_versions(standing: StandIn) -> None:
    """It was created as v1beta1. The operator reads and writes v1alpha1."""
    definition = get(f"crd/websocketscalers.{GROUP}")
    served = {item["name"]: (item["served"], item["storage"]) for item in definition["spec"]["versions"]}
    assert served == {"v1alpha1": (True, True), "v1beta1": (True, False)}

    def both() -> list[dict[str, Any]]:
        old, new = (in_version(standing.target, version) for version in VERSIONS)
        same = old["metadata"]["resourceVersion"] == new["metadata"]["resourceVersion"]
        return [old, new] if same else []  # the operator wrote between the two reads

    old, new = eventually(both, 60, "both versions of one moment")
    assert [item.pop("apiVersion") for item in (old, new)] == [f"{GROUP}/{version}" for version in VERSIONS]
    assert old == new
    assert new["spec"]["metrics"] == [a_metric()]
    assert new["spec"]["prediction"]["mode"] == "Off"
    assert new["status"]["target"] == standing.target
    assert {item["type"] for item in new["status"]["conditions"] if item["status"] == "True"} >= {"Ready"}


def test_pods_are_added_for_a_number_that_grows_and_removed_when_it_falls(standing: StandIn) -> None:
    standing.report("4")
    eventually(lambda: averages(standing) == ["4.000"], 60, "the number is read", 0.5)
    assert standing.replicas() == 1
    standing.report("9")
    eventually(partial(grown, standing, METRIC, 2), 60, "a second pod", 0.5)
    assert standing.status()["decidedBy"] == METRIC
    eventually(lambda: standing.in_service(2), 120, "it is in service", 0.5)
    # A pod counts with at most twice the target, so two pods never ask for more than four.
    standing.report("500")
    eventually(partial(grown, standing, METRIC, 4), 60, "two more pods", 0.5)
    eventually(lambda: standing.in_service(4), 120, "they are in service", 0.5)
    standing.report("nan")
    eventually(lambda: stale(standing) == "MetricMissing", 60, "the number is missed", 0.5)
    eventually(standing.turned(), 60, "the operator has decided again", 0.5)
    assert standing.replicas() == 4, "pods were removed while their number was not known"
    standing.report("0")
    eventually(lambda: standing.in_service(1), 240, "one pod is left", 0.5)
    assert averages(standing) == ["0.000"]


def averages(target: Target) -> list[str]:
    return [item.get("averagePerPod", "") for item in target.status().get("metrics", ())]


def stale(target: Target) -> str:
    [found] = [item for item in target.status()["conditions"] if item["type"] == "MetricsStale"]
    return str(found["reason"]) if found["status"] == "True" else ""


@pytest.mark.parametrize("version", VERSIONS)
def test_kubectl_scale_sets_the_minimum_in_either_version(standing: StandIn, version: str) -> None:
    def scale(replicas: int) -> None:
        name = f"websocketscalers.{version}.{GROUP}/{standing.target}"
        kubectl("scale", name, f"--replicas={replicas}", namespace=NAMESPACE)

    scale(2)
    assert {in_version(standing.target, each)["spec"]["minReplicas"] for each in VERSIONS} == {2}
    eventually(lambda: standing.in_service(2), 120, "the operator follows", 0.5)
    scale(1)
    eventually(lambda: standing.in_service(1), 240, "the operator follows down", 0.5)


def test_a_prediction_is_shown_first_and_applied_when_asked_to(standing: StandIn) -> None:
    """The record of last week is written into the status, where the operator keeps it."""
    standing.change(prediction={"mode": "Observe", "maxExtraReplicas": 2, "timeZone": "Asia/Kolkata"})
    eventually(lambda: week_of(standing), 60, "the operator records", 0.5)
    assert "prediction" not in standing.status(), "nothing is known of last week"
    remember(standing, connections=64)
    shown = dict(eventually(lambda: standing.status().get("prediction", {}), 60, "the prediction is shown", 0.5))
    now = datetime.now(UTC)
    at = datetime.fromisoformat(str(shown.pop("at")))
    assert -60 < (at - now).total_seconds() < 700, "the moment is not within the next ten minutes"
    assert shown == {"mode": "Observe", "connections": 64, "replicas": 2}
    eventually(standing.turned(), 60, "the operator has decided again", 0.5)
    assert standing.status()["decidedBy"] == "connections"
    assert standing.replicas() == 1

    standing.change(prediction={"mode": "Apply"})
    eventually(lambda: standing.status()["decidedBy"] == "prediction", 60, "the prediction decides", 0.5)
    eventually(lambda: standing.in_service(2), 120, "a pod for the prediction", 0.5)
    assert "last week had 64 connections at " in standing.status()["message"]
    standing.change(prediction={"mode": "Off"})
    eventually(lambda: "prediction" not in standing.status() and not week_of(standing), 60, "it is forgotten", 0.5)


def week_of(target: Target) -> dict[str, Any]:
    return dict(target.status().get("history", {}).get("week", {}))


def remember(target: Target, connections: int) -> None:
    """Write a week with the same load in each quarter of an hour into the status, as another operator would."""
    days = [",".join([str(connections)] * 96)] * 7
    moment = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    status = {"lastDecisionTime": moment, "history": {"week": week_of(target) | {"days": days}}}
    patch = ("--subresource=status", "--type=merge", "--patch", json.dumps({"status": status}))
    kubectl("patch", target.scaler_name, *patch, namespace=target.namespace)


def test_an_unknown_time_zone_of_the_prediction_is_named(standing: StandIn) -> None:
    standing.change(prediction={"mode": "Observe", "timeZone": "Asia/Kolkatta"})
    eventually(lambda: standing.status()["reason"] == "InvalidSpec", 60, "the spec is refused", 0.5)
    assert "spec.prediction: unknown time zone 'Asia/Kolkatta'" in standing.status()["message"]
    standing.change(prediction=None)
    eventually(lambda: standing.condition("Ready"), 60, "the spec is accepted again", 0.5)

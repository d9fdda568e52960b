"""The operator scales a StatefulSet of real ws pods under real watchers, and a Rollout, with the chart's rights.

Argo Rollouts is not installed. Its definition is replaced by one with the fields and subresources that the operator
uses, and `Rollout.follow` does what its controller would do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator

import pytest

from tests.e2e.cluster import CommandError, get, kubectl, run
from tests.e2e.conftest import People, installed, people_of
from tests.e2e.scaling.fleet import until
from tests.e2e.scaling.target import Target
from tests.e2e.watching import Crowd, Traffic
from tests.support.eventually import eventually

pytestmark = pytest.mark.timeout(900)
NAMESPACE = "hunarmitra-e2e-targets"
SETTINGS = ("operator.enabled=true", f"operator.watchNamespaces={{{NAMESPACE}}}", "ws.replicas=1")
KINDS = "operator.extraTargetKinds={StatefulSet,Rollout}"
HOST = "targets.hunarmitra.test"
WATCHERS, BOOKINGS, STAYING = 24, 6, 8
SHARE = 3
"""Watchers that each pod has before others leave, so that some of those who stay are on the highest ordinals."""
CRD = "rollouts.argoproj.io"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": CRD},
    "spec": {
        "group": "argoproj.io",
        "names": {"kind": "Rollout", "plural": "rollouts"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1alpha1",
                "served": True,
                "storage": True,
                "subresources": {
                    "status": {},
                    "scale": {"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"},
                },
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            name: {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
                            for name in ("spec", "status")
                        },
                    }
                },
            }
        ],
    },
}


class Rollout(Target):
    """A Rollout without Argo's controller."""

    def follow(self) -> bool:
        """Give the ReplicaSet as many pods as the Rollout wants, and say so in its status."""
        found = get(self.deployment, namespace=self.namespace)
        replicas, generation = found["spec"]["replicas"], str(found["metadata"]["generation"])
        kubectl("scale", f"replicaset/{self.target}", f"--replicas={replicas}", namespace=self.namespace)
        status = json.dumps({"status": {"replicas": replicas, "observedGeneration": generation}})
        patch = ("patch", self.deployment, "--subresource=status", "--type=merge", "--patch", status)
        kubectl(*patch, namespace=self.namespace)
        return True


@pytest.fixture(scope="module")
def sockets() -> Iterator[Target]:
    """A StatefulSet and its scaler, before the operator has the right to scale it."""
    with installed(Target(NAMESPACE, host=HOST), *SETTINGS) as release:
        assert isinstance(release, Target)
        parallel = {"serviceName": release.full("ws"), "podManagementPolicy": "Parallel"}
        release.create(release.pods_like_ws("StatefulSet", **parallel), release.scaler_of("StatefulSet", "apps/v1"))
        yield release


@pytest.fixture(scope="module")
def permitted(sockets: Target) -> Target:
    """Afterwards, and with no ws pods beside those of the StatefulSet."""
    sockets.apply("upgrade", *SETTINGS, KINDS)
    eventually(lambda: sockets.condition("Ready"), 90, "the scaler is ready", 0.5)
    kubectl("scale", f"deployment/{sockets.full('ws')}", "--replicas=0", namespace=sockets.namespace)
    eventually(lambda: len(sockets.pods("ws")) == 1, 120, "only the StatefulSet's pod is left", 0.5)
    return sockets


@pytest.fixture(scope="module")
def everybody(permitted: Target) -> Iterator[People]:
    with people_of(permitted) as found:
        yield found


def test_without_the_right_the_status_names_it(sockets: Target) -> None:
    eventually(lambda: sockets.status().get("reason") == "Forbidden", 90, "the operator says so", 0.5)
    status = sockets.status()
    assert not sockets.condition("Ready")
    assert 'cannot get resource "statefulsets" in API group "apps"' in status["message"], status["message"]


def rights(release: Target, kind: str) -> set[str]:
    """What the operator may do with any object of the kind."""
    account = f"--as=system:serviceaccount:{NAMESPACE}:{release.full('operator')}"

    def may(verb: str, *options: str) -> bool:
        try:
            return bool(kubectl("auth", "can-i", verb, f"{kind}/any", account, *options, namespace=NAMESPACE))
        except CommandError:
            return False

    verbs = ("get", "list", "create", "update", "patch", "delete")
    whole = {verb for verb in verbs if may(verb)}
    return whole | {f"{verb} scale" for verb in verbs if may(verb, "--subresource=scale")}


def test_the_chart_gives_the_right_to_read_and_to_scale(permitted: Target) -> None:
    assert rights(permitted, "statefulsets.apps") == {"get", "update scale"}


async def test_a_stateful_set_follows_its_watchers(permitted: Target, people: People) -> None:
    """Up with their number; down by its highest ordinals, whose watchers were moved before and miss no event."""
    bookings = await asyncio.to_thread(people.bookings, BOOKINGS)
    async with Crowd(permitted.booking_url, people.employer.token, bookings, WATCHERS) as crowd:
        wanted = {f"sockets-{number}" for number in range(3)}

        def spread() -> bool:
            loads = permitted.loads()
            return wanted <= loads.keys() and min(loads.values()) > SHARE

        await until(spread, 240, "pods for all watchers, with a share of them each")
        with Traffic(people.admin, people.workers, bookings, per_second=2) as traffic:
            staying = await crowd.leave(WATCHERS - STAYING)
            before = sum(watcher.codes[4012] for watcher in staying)
            victims = await asyncio.to_thread(eventually, permitted.victims, 120, "a drain began", 0.5)
            await until(lambda: permitted.replicas() == 1, 240, "fewer pods are wanted")
            await until(lambda: permitted.names() == {"sockets-0"}, 120, "only the lowest ordinal is left")
        assert "sockets-0" not in victims
        assert {"DrainStarted", "ScalingDown"} <= await asyncio.to_thread(permitted.events)
        await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
        assert traffic.failures == []
        assert sum(watcher.codes[4012] for watcher in staying) > before, "nobody was moved"
        assert set(crowd.codes()) == {4012}, crowd.codes()


@pytest.fixture
def rollout(permitted: Target) -> Iterator[Rollout]:
    if run("kubectl", "get", "crd", CRD, "--ignore-not-found"):
        pytest.skip("this cluster has Argo Rollouts, whose controller would act too")
    run("kubectl", "create", "--filename", "-", stdin=json.dumps(DEFINITION))
    try:
        run("kubectl", "wait", "--for=condition=Established", f"crd/{CRD}", "--timeout=60s")
        made = Rollout(NAMESPACE, target="rolled", resource="rollout", secret_key=permitted.secret_key)
        pods = made.pods_like_ws("ReplicaSet")
        spec = {"replicas": 1, "selector": pods["spec"]["selector"]}
        made.create({**pods, "apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "spec": spec})
        uid = get(made.deployment, namespace=NAMESPACE)["metadata"]["uid"]
        owner = {"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout", "name": "rolled", "uid": uid}
        labels = pods["spec"]["template"]["metadata"]["labels"]
        pods["metadata"] |= {"labels": labels, "ownerReferences": [owner | {"controller": True}]}
        made.create(pods, made.scaler_of("Rollout", "argoproj.io/v1alpha1"))
        yield made
    finally:
        run("kubectl", "delete", "crd", CRD, "--timeout=60s")


def test_a_rollout_is_scaled_by_its_scale_subresource(rollout: Rollout) -> None:
    """Up at once, and down by the pod that was drained, the one with the lowest deletion cost."""
    assert rights(rollout, "rollouts.argoproj.io") == {"get", "update scale"}
    eventually(lambda: rollout.follow() and rollout.condition("Ready"), 120, "the scaler is ready", 0.5)
    rollout.change(minReplicas=2)
    eventually(lambda: rollout.replicas() == 2, 60, "the operator scaled up", 0.5)
    eventually(lambda: rollout.follow() and rollout.in_service(2), 120, "both pods serve", 0.5)
    rollout.change(minReplicas=1)
    [victim] = eventually(rollout.victims, 90, "a drain began", 0.5)
    stays = rollout.names() - {victim}
    eventually(lambda: rollout.replicas() == 1, 120, "the operator scaled down", 0.5)
    eventually(lambda: rollout.follow() and rollout.names() == stays, 60, "the drained pod is removed", 0.5)

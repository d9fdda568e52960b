"""Upgrade, rollback and uninstall of a release of its own; what it lets in, and what it leaves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from tests.e2e import in_pods
from tests.e2e.cluster import (
    CommandError,
    Release,
    call_in,
    delete_namespace,
    get,
    kubectl,
    make_namespace,
    names_of,
    run,
)
from tests.e2e.conftest import People
from tests.e2e.watching import Crowd, Traffic

LEFT = {"PersistentVolumeClaim/data-shop-hunarmitra-postgresql-0"}


@pytest.fixture
def elsewhere() -> Iterator[str]:
    name = "hunarmitra-e2e-elsewhere"
    delete_namespace(name)
    make_namespace(name, restricted=False)
    yield name
    delete_namespace(name)


@pytest.mark.timeout(600)
async def test_an_upgrade_and_a_rollback_lose_nothing(release: Release, people: People) -> None:
    bookings = await asyncio.to_thread(people.bookings, 10)

    def change() -> None:
        release.apply("upgrade", "config.logLevel=DEBUG", "ws.replicas=3", "ws.options.drainWindowSeconds=4")
        release.rolled_out("http", "ws")
        assert len(release.pods("ws")) == 3
        release.helm("rollback", "--wait", "--timeout", "3m")
        release.rolled_out("http", "ws")
        assert len(release.pods("ws")) == 2

    async with Crowd(release.booking_url, people.employer.token, bookings, 100) as crowd:
        with Traffic(people.admin, people.workers, bookings, 5) as traffic:
            await asyncio.to_thread(change)
        await crowd.complete(await asyncio.to_thread(traffic.last_seqs))
        assert traffic.failures == []
        assert set(crowd.codes()) == {4012}, crowd.codes()


def test_an_upgrade_without_a_change_restarts_nothing(release: Release) -> None:
    before = {pod["metadata"]["uid"] for pod in release.pods()}
    release.apply("upgrade")
    assert {pod["metadata"]["uid"] for pod in release.pods()} == before


def test_another_namespace_reaches_the_public_ports_alone(release: Release, elsewhere: str) -> None:
    ips = {name: release.pods(name)[0]["status"]["podIP"] for name in ("http", "ws", "redis", "postgresql")}
    targets = {
        "http public": (ips["http"], 8000),
        "http admin": (ips["http"], 8081),
        "ws public": (ips["ws"], 8000),
        "ws admin": (ips["ws"], 8081),
        "ws control": (ips["ws"], 8082),
        "redis": (ips["redis"], 6379),
        "postgresql": (ips["postgresql"], 5432),
    }
    image = release.pods("http")[0]["spec"]["containers"][0]["image"]
    kubectl(
        "run", "stranger", f"--image={image}", "--image-pull-policy=IfNotPresent", "--", "sleep", "600",
        namespace=elsewhere,
    )  # fmt: skip
    kubectl("wait", "--for=condition=Ready", "pod/stranger", "--timeout=60s", namespace=elsewhere)
    found = call_in(elsewhere, "pod/stranger", in_pods.reachable, targets=targets)
    assert set(found) == {"http public", "ws public"}


def test_a_pod_of_the_release_reaches_only_what_it_needs(release: Release) -> None:
    ws = release.pods("ws")[0]["status"]["podIP"]
    targets = {
        "postgresql": (release.full("postgresql"), 5432),
        "redis": (release.full("redis"), 6379),
        "ws control": (ws, 8082),
        "API server": ("kubernetes.default", 443),
    }
    assert set(release.call("http", in_pods.reachable, targets=targets)) == {"postgresql", "redis"}


def test_wrong_values_are_refused_at_the_installation(elsewhere: str) -> None:
    other = Release(namespace=elsewhere, name="wrong")
    for setting, said in (
        ("ws.replicsa=3", "additional properties 'replicsa' not allowed"),
        ("ws.terminationGracePeriodSeconds=10", "ws.terminationGracePeriodSeconds (10) is too short"),
        ("database.bundled.enabled=false", "create a Secret with SECRET_KEY, DATABASE_URL"),
    ):
        with pytest.raises(CommandError) as refusal:
            other.apply("install", setting, wait=False)
        assert said in str(refusal.value)
    assert get("secrets", "--selector=owner=helm", namespace=elsewhere)["items"] == [], "not even a failed release"


def test_the_kustomizations_are_accepted_by_the_api_server(elsewhere: str) -> None:
    for folder in ("crds", "base", "migrate", "trial"):
        text = run("kubectl", "kustomize", f"k8s/{folder}").replace(
            "namespace: hunarmitra\n", f"namespace: {elsewhere}\n"
        )
        options = ["--dry-run=server", "--server-side", "--field-manager=e2e", "--force-conflicts"]
        run("kubectl", "apply", *options, "--validate=strict", "--filename", "-", stdin=text)


@pytest.mark.timeout(600)
def test_uninstall_leaves_only_the_volume(elsewhere: str) -> None:
    other = Release(namespace=elsewhere)
    other.apply("install", "ingress.enabled=false")
    other.helm("uninstall", "--wait", "--timeout", "2m")
    kinds = [
        *("deployments", "statefulsets", "jobs", "cronjobs", "services", "configmaps", "secrets", "ingresses"),
        *("networkpolicies", "poddisruptionbudgets", "horizontalpodautoscalers", "serviceaccounts"),
        *("roles", "rolebindings", "persistentvolumeclaims"),
    ]
    left = names_of(get(",".join(kinds), namespace=elsewhere)["items"])
    assert left - {"ConfigMap/kube-root-ca.crt", "ServiceAccount/default"} == LEFT

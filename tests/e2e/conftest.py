"""One new installation for the session, reached through the ingress.

Runs only for `make e2e…`, which sets E2E: a KUBECONFIG alone may name any cluster.
"""

from __future__ import annotations

import json
import os
import secrets
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import HOST, Release, delete_namespace, make_namespace
from tests.support.actors import Actor, Actors, User
from tests.support.surroundings import REPOSITORY

SEED = REPOSITORY / "tests" / "support" / "seed_users.py"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    # Tests that stop nodes come last, so that no other test runs while the cluster recovers.
    last = (here / "test_nodes.py", here / "chaos" / "test_chaos.py")
    items.sort(key=lambda item: last.index(item.path) + 1 if item.path in last else 0)
    if "E2E" not in os.environ:
        for item in items:
            if here in item.path.parents:
                item.add_marker(pytest.mark.skip(reason="needs a cluster: make e2e-smoke, e2e or e2e-full"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what tests recorded with `record_property`, because a worker of pytest-xdist has no terminal."""
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and report.when == "call":
                for name, value in report.user_properties:
                    terminalreporter.write_line(f"{report.nodeid}: {name}: {value}")


@pytest.fixture(scope="session", autouse=True)
def host_name() -> Iterator[None]:
    """Resolve the releases' names to the ingress, E2E_INGRESS=address:port, in this process only."""
    address = os.environ.get("E2E_INGRESS", "127.0.0.1:80").rpartition(":")[0]
    genuine = socket.getaddrinfo

    def resolve(host: Any, *arguments: Any, **options: Any) -> Any:
        ours = isinstance(host, str) and host.endswith(HOST)
        return genuine(address if ours else host, *arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", resolve)
        yield


@contextmanager
def installed(release: Release, *settings: str, env: Mapping[str, str] | None = None) -> Iterator[Release]:
    """Install into a new namespace that admits only restricted pods.

    With E2E_KEEP it stays, and the next run uses it again, which helps while writing tests.
    """
    keep = "E2E_KEEP" in os.environ
    if keep:
        release.secret_key = "e2e-kept-secret-key-0123456789abcdef"
        if release.exists():
            yield release
            return
    delete_namespace(release.namespace)
    make_namespace(release.namespace)
    try:
        release.apply("install", *settings, env=env or {})
        yield release
    finally:
        if not keep:
            delete_namespace(release.namespace)


@pytest.fixture(scope="session")
def release() -> Iterator[Release]:
    """The release that most tests share."""
    with installed(Release()) as running:
        yield running


def seed(release: Release, roles: list[str]) -> list[User]:
    """Create users inside an http pod, where the database is reachable."""
    wanted = [
        {
            "username": f"{role}-{secrets.token_hex(4)}",
            "password": secrets.token_urlsafe(12),
            "name": f"{role.title()} {number}",
            "role": role,
        }
        for number, role in enumerate(roles, 1)
    ]
    return [User(**user) for user in json.loads(release.python("http", SEED.read_text(), json.dumps(wanted)))]


SIGNED_IN_SECONDS = 240
"""An access token lasts fifteen minutes, the longest test ten."""


class People(Actors):
    """The users of many tests."""

    def stay_signed_in(self) -> None:
        """Start new sessions if the tokens may expire during a test."""
        for actor in self.everyone:
            if time.monotonic() - actor.signed_in_at > SIGNED_IN_SECONDS:
                actor.sign_in()

    @property
    def workers(self) -> list[str]:
        """The workers between which `Traffic` reassigns bookings."""
        return [self.other_worker.id, self.worker.id]

    def bookings(self, count: int) -> list[str]:
        """Create confirmed bookings, assigned to the worker."""
        made = [str(self.employer.create_booking()["id"]) for _ in range(count)]
        for booking in made:
            self.admin.assign(booking, self.worker.id)
        return made


@contextmanager
def people_of(release: Release) -> Iterator[People]:
    """Create users, signed in through the ingress."""
    users = seed(release, ["employer", "worker", "admin", "employer", "worker"])
    found = People(*(Actor(release.base_url, user) for user in users))
    yield found
    found.close()


@pytest.fixture(scope="session")
def everybody(release: Release) -> Iterator[People]:
    with people_of(release) as found:
        yield found


@pytest.fixture
def people(everybody: People) -> People:
    """The users, with access tokens that last for the whole test."""
    everybody.stay_signed_in()
    return everybody

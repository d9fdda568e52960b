"""The contract's tests, run against the installed release through its ingress.

`make test` runs the same tests against processes of this machine.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.cluster import Release
from tests.e2e.conftest import seed
from tests.support.actors import Actor, Actors
from tests.support.api import Api
from tests.support.live import SETTINGS, Newcomer, Person
from tests.support.shell import Shell
from tests.support.stack import WITHOUT_LIMITS, WITHOUT_SAMPLES, Stack
from tests.support.surroundings import REPOSITORY

# Without E2E these tests run in their own folders; here they are not even shown as skipped.
collect_ignore = [] if "E2E" in os.environ else ["test_contract.py"]
SHELL_SERVER = REPOSITORY / "tests" / "support" / "shell_server.py"
ORIGINS = "ALLOWED_ORIGINS"
# The chart has a separate value for origins.
ENVIRONMENT = {name: value for name, value in SETTINGS.items() if name != ORIGINS} | WITHOUT_SAMPLES | WITHOUT_LIMITS


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the parameters of other servers: a cluster has only one."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.slow)
    unwanted = [
        item
        for item in items
        if here in item.path.parents
        and isinstance(item, pytest.Function)
        and getattr(item, "callspec", None) is not None
        and item.callspec.params.get("live", "distributed") != "distributed"
    ]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = [item for item in items if item not in unwanted]


class ClusterStack(Stack):
    """The release behind its ingress, instead of processes of this machine."""

    release: Release

    @classmethod
    def of(cls, release: Release, directory: Path) -> ClusterStack:
        made = cls("distributed", directory, {})
        made.release = release
        return made

    @property
    def base_url(self) -> str:
        return self.release.base_url

    @property
    def base_urls(self) -> list[str]:
        return [self.base_url]

    @property
    def ws_urls(self) -> list[str]:
        return [self.release.ws_url]

    def booking_url(self, booking_id: str, pod: int = 0) -> str:
        return self.release.booking_url(booking_id)

    def notifications_url(self, pod: int = 0) -> str:
        return f"{self.release.ws_url}/ws/notifications/"

    def python(self, *arguments: str, stdin: str = "") -> str:
        """Run Python in an http pod. It does not contain the tests, so a module of them is sent as source."""
        if arguments[0] == "-m" and arguments[1].startswith("tests."):
            source = (REPOSITORY / arguments[1].replace(".", "/")).with_suffix(".py").read_text()
            arguments = ("-c", source, *arguments[2:])
        return self.release.execute(f"deployment/{self.release.full('http')}", "python", *arguments, stdin=stdin)


class ClusterShell(Shell):
    """A process in an http pod."""

    def __init__(self, release: Release, log: Path) -> None:
        command = ["python", "-c", SHELL_SERVER.read_text()]
        target = f"deployment/{release.full('http')}"
        with log.open("ab") as errors:
            self._child = child = subprocess.Popen(
                ["kubectl", "--namespace", release.namespace, "exec", "--stdin", target, "--", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                bufsize=1,
            )
        assert child.stdin is not None
        assert child.stdout is not None
        self._requests, self._answers = child.stdin, child.stdout
        self._read()

    def close(self) -> None:
        """Kill kubectl, which may notice late that its command has ended."""
        self._child.kill()
        super().close()


@pytest.fixture(scope="package")
def live(release: Release, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """The release with the settings that the tests need."""
    release.apply("upgrade", f"config.allowedOrigins={{{SETTINGS[ORIGINS]}}}", env=ENVIRONMENT)
    release.rolled_out("http", "ws", "relay")
    yield ClusterStack.of(release, tmp_path_factory.mktemp("cluster"))
    if "E2E_KEEP" not in os.environ:
        release.apply("upgrade")
        release.rolled_out("http", "ws")


@pytest.fixture(scope="package")
def stack(live: Stack) -> Stack:
    return live


@pytest.fixture(scope="package")
def actors(release: Release, live: Stack) -> Iterator[Actors]:
    users = seed(release, ["employer", "worker", "admin", "employer", "worker"])
    found = Actors(*(Actor(release.base_url, user) for user in users))
    yield found
    found.close()


@pytest.fixture(scope="package")
def people(actors: Actors) -> Actors:
    return actors


@pytest.fixture(scope="package")
def shell(release: Release, live: Stack) -> Iterator[Shell]:
    with ClusterShell(release, live.directory / "shell.log") as running:
        yield running


@pytest.fixture
def nobody(live: Stack) -> Iterator[Api]:
    with closing(Api(live.base_url)) as api:
        yield api


@pytest.fixture
def newcomer(live: Stack, shell: Shell) -> Iterator[Newcomer]:
    made: list[Person] = []

    def make(role: str = "employer", name: str = "") -> Person:
        made.append(Person(live, shell, role, name))
        return made[-1]

    yield make
    for person in made:
        person.close()

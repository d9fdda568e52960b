"""A reader installs the trial with the commands of the documents, taken from there, and opens the first connection.

Replaced is only what a reader has to replace: the registry of the bundled servers' images, the ports of this machine,
and the password.
"""

from __future__ import annotations

import os
import re
import subprocess
import textwrap
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import httpx
import pytest
import yaml

from tests.e2e.cluster import VALUES, CommandError, delete_namespace, run
from tests.support import tools
from tests.support.documents import blocks, command_of
from tests.support.eventually import eventually
from tests.support.ports import accepts_connections, free_port
from tests.support.surroundings import REPOSITORY
from tests.support.terminal import terminal

pytestmark = pytest.mark.timeout(900)
PAGE = "operations.md"
NAMESPACE, NAME, HOST = "hunarmitra", "hm", "hunarmitra.test"
"""As the documents have them."""
INSTALL = "helm install hm charts/hunarmitra "
PASSWORD = "correct-horse-battery-staple"
DOCKER = """\
#!/bin/sh -e
# Builds with the cluster's program, which loads the image into the nodes under the name that docker would give it.
[ "$1 $2 $4 $#" = "build -t -f 6" ] || { echo "not understood: docker $*" >&2; exit 64; }
context=$(realpath "$6") file=$(realpath "$5")
cd / && exec "$E2E_CLUSTER" build "docker.io/library/$3" "$context" -f "$file"
"""
KIND = """\
#!/bin/sh
[ "$1 $2 $3 $4" = "load docker-image --name kind" ] || { echo "not understood: kind $*" >&2; exit 64; }
"""


@dataclass
class Reader:
    """The reader's shell, and the ports that are forwarded to http and ws."""

    path: str
    values: Path
    http_port: int
    ws_port: int

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "PATH": self.path, "TERM": "dumb"}

    def shell(self, commands: str, timeout: float = 660) -> str:
        """Run commands as the reader types them; their output. Fails with it if one of them fails."""
        done = subprocess.run(
            ["bash", "-e", "-o", "pipefail", "-c", commands],
            env=self.environment, cwd=REPOSITORY, text=True, timeout=timeout, check=False,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode:
            raise CommandError(f"{commands}\n{done.stdout[-6000:]}")
        return done.stdout

    def here(self, commands: str) -> str:
        """The commands with this reader's ports and password."""
        for port, ours in (("8000", self.http_port), ("8001", self.ws_port)):
            commands = commands.replace(f"127.0.0.1:{port}", f"127.0.0.1:{ours}").replace(f" {port}:", f" {ours}:")
        return commands.replace("YOUR PASSWORD", PASSWORD)


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader of a cluster that has no namespace of the documents' name yet."""
    if run("kubectl", "get", "namespace", NAMESPACE, "--ignore-not-found", "--output=name"):
        pytest.fail(f"this cluster has a namespace {NAMESPACE}; these tests install into it and delete it at their end")
    folder = tmp_path_factory.mktemp("reader")
    ours = yaml.safe_load((REPOSITORY / VALUES).read_text())
    values = {
        server: {"bundled": {name: ours[server]["bundled"][name] for name in ("image", "runAsUser")}}
        for server in ("database", "redis")
    }
    path = [str(tools.wscat().parent), os.environ["PATH"]]
    if "E2E_CLUSTER" in os.environ:
        for program, text in (("docker", DOCKER), ("kind", KIND)):
            (folder / program).write_text(text)
            (folder / program).chmod(0o755)
        path.insert(0, str(folder))
    else:
        values["image"] = ours["image"]
    (folder / "values.yaml").write_text(yaml.safe_dump(values))
    try:
        yield Reader(os.pathsep.join(path), folder / "values.yaml", free_port(), free_port())
    finally:
        delete_namespace(NAMESPACE)


@pytest.fixture(scope="module")
def installed(reader: Reader) -> Reader:
    """The trial, installed and tested by the commands of the page."""
    if "E2E_CLUSTER" in os.environ:
        reader.shell(command_of(PAGE, "make images-kind"))
    commands = command_of(PAGE, INSTALL)
    printed = reader.shell(commands.replace(INSTALL, f"{INSTALL}--values {reader.values} "))
    assert "the event's way from one to the other work" in printed
    return reader


def forwards() -> list[str]:
    return command_of(PAGE, f"kubectl -n {NAMESPACE} port-forward").splitlines()


@pytest.fixture(scope="module")
def forwarded(installed: Reader) -> Iterator[Reader]:
    """Both Services at ports of this machine, each forwarded in its own terminal."""
    with ExitStack() as terminals:
        for command in forwards():
            terminals.enter_context(terminal(["bash", "-ec", installed.here(command)], installed.environment))
        for port in (installed.http_port, installed.ws_port):
            eventually(partial(accepts_connections, port), 60, f"the forwarded port {port}")
        yield installed


def watch(reader: Reader, commands: str, *, new_administrator: bool) -> None:
    """Run the commands at a terminal until the first frame; then an event arrives there."""
    with terminal(["bash", "-ec", reader.here(commands)], reader.environment) as screen:
        if new_administrator:
            screen.wait_for("Password:")
            screen.type(PASSWORD)
            screen.wait_for("(again):")
            screen.type(PASSWORD)
        screen.wait_for('< {"type":"connection_established"')
        screen.wait_for('"status":"requested"')
        found = re.search(r'"booking_id":"([^"]+)"', screen.text)
        assert found
        cancel(reader, found[1])
        screen.wait_for('"event_type":"booking_cancelled"')


def cancel(reader: Reader, booking: str) -> None:
    url, headers = f"http://127.0.0.1:{reader.http_port}/api/v1", {"Host": HOST}
    with httpx.Client(headers=headers, trust_env=False, timeout=30) as client:
        answer = client.post(f"{url}/auth/token/", json={"username": "admin", "password": PASSWORD})
        token = answer.raise_for_status().json()["access"]
        change = {"status": "cancelled"}
        client.patch(
            f"{url}/bookings/{booking}/status/", json=change, headers={"Authorization": f"Bearer {token}"}
        ).raise_for_status()


def test_the_pages_commands_lead_to_the_first_frame(forwarded: Reader) -> None:
    [commands] = [block.text for block in blocks(PAGE) if "\nwscat " in block.text]
    watch(forwarded, commands, new_administrator=True)


def paragraphs(notes: str) -> dict[str, str]:
    """The commands of each paragraph of the notes, by the paragraph's first line."""
    found = (paragraph.partition("\n") for paragraph in notes.partition("NOTES:\n")[2].split("\n\n"))
    return {title: textwrap.dedent(text) for title, _, text in found}


def test_the_notes_commands_lead_there_too(forwarded: Reader) -> None:
    """After the page's commands, whose administrator they find."""
    notes = paragraphs(forwarded.shell(f"helm status {NAME} -n {NAMESPACE}"))
    commands = {title.partition("(")[0].strip(): text for title, text in notes.items()}
    forwarded.shell(commands["Wait until it serves:"])
    forwarded.shell(commands["Test the whole way from REST to WebSocket"])
    [first] = [block.text for block in blocks(PAGE) if "\nwscat " in block.text]
    assert commands["Make an administrator"].split() == first.partition("HOST=")[0].split()
    forward = next(text for title, text in commands.items() if title.startswith("Without an Ingress"))
    assert forward.split("\n")[:2] == forwards()
    watch(forwarded, commands["The first connection"], new_administrator=False)

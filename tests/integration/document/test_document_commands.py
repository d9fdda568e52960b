"""Every command of the API document, as it stands but for hosts, ports, ids and tokens."""

from __future__ import annotations

import asyncio
import importlib
import importlib.metadata
import json
import re
import shlex
import shutil
import ssl
import sys
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from websockets.asyncio.client import connect as open_connection

from tests.support import contract, tools
from tests.support.actors import Actors
from tests.support.documents import blocks
from tests.support.live import join
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.redis import RedisServer
from tests.support.services import ServiceProcess
from tests.support.sockets import Socket
from tests.support.stack import Stack, base_environment, fresh_sqlite
from tests.support.surroundings import REPOSITORY
from tests.support.terminal import terminal

HOST = "127.0.0.1"
COMMANDS = contract.commands("realtime-api.md")


def command(start: str) -> str:
    [found] = [line for line in COMMANDS if line.startswith(start)]
    return found


def server(line: str, directory: Path, environment: dict[str, str], cwd: Path, name: str) -> ServiceProcess:
    """The documented command line, bound to loopback and to a free port."""
    port = free_port()
    program, *arguments = shlex.split(line.replace("0.0.0.0", HOST).replace("8000", str(port)))
    process = ServiceProcess([], port=port, name=name, directory=directory, environment=environment)
    process.command = [str(Path(sys.executable).with_name(program)), *arguments]
    process.cwd = cwd
    return process


async def check_serves(process: ServiceProcess, directory: Path, environment: dict[str, str]) -> None:
    """REST and both endpoints, by real users."""
    stack = Stack("embedded", directory, environment, http=[process], ws=[process])
    people = await asyncio.to_thread(Actors.of, stack)
    booking = await asyncio.to_thread(people.new_booking, "confirmed")
    async with await join(stack.booking_url(booking), people.employer.token) as socket:
        await asyncio.to_thread(people.worker.status, booking, "on_the_way")
        assert (await socket.next_of("booking_status"))["status"] == "on_the_way"
    people.close()


@pytest.mark.parametrize(
    "start", ["daphne -b 0.0.0.0 -p 8000 hunarmitra.asgi", "uvicorn hunarmitra.asgi:application --host"]
)
async def test_the_servers_start_as_documented(tmp_path: Path, start: str) -> None:
    environment = base_environment(DATABASE_URL=fresh_sqlite(tmp_path))
    line = command(start)
    with server(line, tmp_path, environment, cwd=REPOSITORY, name=line.split()[0]) as process:
        await check_serves(process, tmp_path, environment)


def self_signed(directory: Path) -> ssl.SSLContext:
    """`key.pem` and `cert.pem` in `directory`; a client's context that trusts them and nothing else."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "hunarmitra.test")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address(HOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    unencrypted = serialization.NoEncryption()
    (directory / "key.pem").write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unencrypted)
    )
    (directory / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return ssl.create_default_context(cafile=str(directory / "cert.pem"))


async def test_the_tls_endpoint_serves_rest_and_connections(tmp_path: Path) -> None:
    trust = self_signed(tmp_path)
    environment = base_environment(DATABASE_URL=fresh_sqlite(tmp_path))
    tls_port = free_port()
    line = command("daphne -b 0.0.0.0 -p 8000 -e ssl")
    line = line.replace("ssl:443:", f"ssl:{tls_port}:interface={HOST}:")
    with server(line, tmp_path, environment, cwd=tmp_path, name="tls") as process:
        stack = Stack("embedded", tmp_path, environment, http=[process], ws=[process])
        people = await asyncio.to_thread(Actors.of, stack)
        async with httpx.AsyncClient(verify=trust, trust_env=False, timeout=30) as client:
            answer = await client.get(
                f"https://{HOST}:{tls_port}/api/v1/users/me/",
                headers={"Authorization": f"Bearer {people.employer.token}"},
            )
            assert answer.json()["id"] == people.employer.id
        url = f"wss://{HOST}:{tls_port}/ws/notifications/?token={people.employer.token}"
        async with Socket(await open_connection(url, ssl=trust, proxy=None)) as socket:
            await socket.joined()
            people.admin.assign(people.new_booking("requested"), people.worker.id)
            assert (await socket.next_of("notification"))["seq"] == 1
        people.close()


def test_what_pip_is_told_to_install_is_installed() -> None:
    names = command("pip install").removeprefix("pip install ").split()
    assert names == ["channels", "channels-redis", "daphne"]
    for name in names:
        assert importlib.metadata.version(name)
        importlib.import_module(name.replace("-", "_"))
    # Below, daphne has two published vulnerabilities.
    assert tuple(int(part) for part in importlib.metadata.version("daphne").split(".")[:3]) >= (4, 2, 2)


async def test_redis_url_in_an_env_file_selects_redis(tmp_path: Path) -> None:
    """In a copy of the project, for `.env` stands at its top."""
    project = tmp_path / "project"
    for folder in ("hunarmitra", "services"):
        shutil.copytree(REPOSITORY / folder, project / folder, ignore=shutil.ignore_patterns("__pycache__"))
    environment = base_environment(DATABASE_URL=fresh_sqlite(tmp_path))
    environment["PYTHONPATH"] = ":".join(str(project / folder) for folder in (".", "services/http", "services/ws"))
    with RedisServer(tmp_path) as redis:
        documented = command("REDIS_URL=")
        (project / ".env").write_text(f"# .env file\n{documented.replace(':6379', f':{redis.port}')}\n")
        line = command("daphne -b 0.0.0.0 -p 8000 hunarmitra.asgi")
        with server(line, tmp_path, environment, cwd=project, name="dotenv") as process:
            await check_serves(process, tmp_path, environment)
            stack = Stack("embedded", tmp_path, environment, http=[process], ws=[process])
            people = await asyncio.to_thread(Actors.of, stack)
            async with await join(stack.notifications_url(), people.employer.token):
                with redis.client() as client:
                    group = f"asgi__group__user.{people.employer.id}".encode()
                    assert group in client.pubsub_channels()
            people.close()


def test_wscat_is_what_npm_installs() -> None:
    [package] = command("npm install").removeprefix("npm install -g ").split()
    installed = json.loads((tools.wscat().parent.parent / package / "package.json").read_text())
    assert installed["name"] == package == "wscat"


def test_wscat_connects_receives_and_gets_a_pong(stack: Stack, actors: Actors) -> None:
    """The real program at a terminal, typing what the document types."""
    booking = actors.new_booking("confirmed")
    line = command("wscat -c").replace("ws://localhost:8000", stack.ws_urls[0])
    line = line.replace("/bookings/abc-123/", f"/bookings/{booking}/").replace("YOUR_JWT_TOKEN", actors.employer.token)
    [typed] = [command.removeprefix("> ") for command in COMMANDS if command.startswith("> ")]
    [expected] = [command.removeprefix("< ") for command in COMMANDS if command.startswith("< ")]
    with terminal([str(tools.wscat()), *shlex.split(line)[1:]]) as screen:
        screen.wait_for('"connection_established"')
        actors.worker.status(booking, "on_the_way")
        screen.wait_for('"booking_on_the_way"')
        screen.type(typed)
        screen.wait_for('"pong"')
        frames = [json.loads(found) for found in re.findall(r"< (\{.*?\})\s*$", screen.text, re.MULTILINE)]
    assert json.loads(expected) in frames
    assert {frame["type"] for frame in frames} == {"connection_established", "booking_status", "pong"}


def test_wscat_connects_as_the_page_for_operators_says(stack: Stack, actors: Actors) -> None:
    """With the token as a subprotocol, which no access log contains."""
    [line] = [line for block in blocks("operations.md") for line in block.text.splitlines() if "wscat " in line]
    booking = actors.new_booking()
    values = {
        "$HOST": HOST,
        "$TOKEN": actors.employer.token,
        "$BOOKING": booking,
        "ws://127.0.0.1:8001": stack.ws_urls[0],
    }
    for name, value in values.items():
        line = line.replace(name, value)
    with terminal([str(tools.wscat()), *shlex.split(line)[1:]]) as screen:
        screen.wait_for('< {"type":"connection_established"')
        assert booking in screen.text


def test_a_server_without_the_environments_settings_says_what_is_missing(tmp_path: Path) -> None:
    """The documented command on a machine that nobody configured: a sentence, not a stack trace."""
    port = free_port()
    process = Process(
        [sys.executable, "-m", "daphne", "-b", HOST, "-p", str(port), "hunarmitra.asgi:application"],
        log_path=tmp_path / "unset.log",
        cwd=tmp_path,
    )
    process.launch()
    assert process.wait(90) != 0
    assert not accepts_connections(port)
    assert "SECRET_KEY is not set" in process.log_text()

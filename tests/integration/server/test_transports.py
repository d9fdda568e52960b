"""Connections over TLS endpoints of daphne's command line, and after other requests on the same TCP connection."""

from __future__ import annotations

import ssl
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process
from tests.support.raw_sockets import RawSocket
from tests.support.services import OwnServer
from tests.support.stack import base_environment, fresh_sqlite


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write the key and the certificate of 127.0.0.1 into ``folder``."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate_file.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return key_file, certificate_file


@pytest.fixture(scope="module", params=["plain", "TLS"])
def port(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[int, Path | None]]:
    """The port of a server that has REST too, and its certificate if it speaks TLS."""
    folder = tmp_path_factory.mktemp("transports")
    environment = base_environment(DATABASE_URL=fresh_sqlite(folder))
    if request.param == "plain":
        with OwnServer(folder, environment) as server:
            yield server.port, None
        return
    key_file, certificate_file = certificate(folder)
    number = free_port()
    endpoint = f"ssl:{number}:privateKey={key_file}:certKey={certificate_file}:interface=127.0.0.1"
    with Process(
        [sys.executable, "-m", "hunarmitra_ws", "-e", endpoint],
        log_path=folder / "tls.log",
        environment={**environment, "WS_ADMIN_PORT": "0", "WS_CONTROL_PORT": "0"},
        ready=lambda: accepts_connections(number),
    ):
        yield number, certificate_file


def connected(port: tuple[int, Path | None]) -> RawSocket:
    number, certificate_file = port
    connection = RawSocket(number)
    if certificate_file is not None:
        context = ssl.create_default_context(cafile=certificate_file)
        connection.socket = context.wrap_socket(connection.socket, server_hostname="127.0.0.1")
    return connection


def test_a_connection_is_the_first_request(port: tuple[int, Path | None]) -> None:
    with connected(port) as client:
        client.upgrade("/ws/notifications/")
        assert client.close_code() == 4001


def test_a_connection_follows_other_requests_on_the_same_tcp_connection(port: tuple[int, Path | None]) -> None:
    with connected(port) as client:
        for _ in range(2):
            client.request("/livez", method="HEAD")
            assert client.header().startswith("HTTP/1.1 200")
        client.upgrade("/ws/notifications/")
        assert client.close_code() == 4001

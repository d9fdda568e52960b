"""Demo data and the development server are for a laptop: nothing here may happen to a service by accident."""

from __future__ import annotations

import ipaddress
import socket

from django.conf import settings
from django.core.management.base import CommandError


def require_demo_mode() -> None:
    """Raises CommandError unless DEBUG or DEMO is on."""
    if not (settings.ENVIRONMENT.debug or settings.ENVIRONMENT.demo):
        raise CommandError("This makes demo users, so it needs DEBUG=1 (development) or DEMO=1 in the environment.")


def require_loopback(host: str) -> None:
    """Raises CommandError for a host that other machines could reach, or that is none."""
    try:
        addresses = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except (OSError, UnicodeError):
        raise CommandError(f"--host {host} is not an address of this machine.") from None
    if not all(ipaddress.ip_address(str(address).partition("%")[0]).is_loopback for address in addresses):
        raise CommandError(
            f"--host {host} can be reached from other machines, which demo users and DEBUG are not made for: "
            "use 127.0.0.1, or start daphne or uvicorn yourself (see README.md)."
        )


def is_free(host: str, port: int) -> bool:
    """Return whether this process could listen there."""
    return _problem_of_listening(host, port) is None


def require_free_port(host: str, port: int) -> None:
    """Raises CommandError naming the port when something listens there already."""
    if problem := _problem_of_listening(host, port):
        other = port + 1 if port < 65535 else 8000
        raise CommandError(
            f"Port {port} on {host} cannot be used: {problem.strerror}. "
            f"Stop what listens there, or choose another port: make run PORT={other}"
        )


def _problem_of_listening(host: str, port: int) -> OSError | None:
    family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(address)
        except OSError as error:
            return error
    return None

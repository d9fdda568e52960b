"""The servers under test, each started with the documented command on its own port."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import httpx

from tests.support import web
from tests.support.ports import accepts_connections, free_port
from tests.support.processes import Process

HOST = "127.0.0.1"
APPLICATION = "hunarmitra.asgi:application"


class ServiceProcess(Process):
    """A server of HTTP, WebSocket or both on `port`. It is ready when it answers a request, with any status."""

    def __init__(
        self,
        arguments: Sequence[str],
        *,
        port: int,
        name: str,
        directory: Path,
        environment: Mapping[str, str],
    ) -> None:
        self.port = port
        self.url = f"http://{HOST}:{port}"
        self.ws_url = f"ws://{HOST}:{port}"
        super().__init__(
            [sys.executable, *arguments],
            log_path=directory / f"{name}-{port}.log",
            environment=environment,
            ready=self._answers,
        )

    def _answers(self) -> bool:
        if not accepts_connections(self.port):
            return False
        try:
            web.get(f"{self.url}/", timeout=5)
        except httpx.TransportError:
            return False
        return True


def daphne(directory: Path, environment: Mapping[str, str], *options: str, name: str = "daphne") -> ServiceProcess:
    """Stock daphne, with the command of the API document."""
    port = free_port()
    arguments = ["-m", "daphne", "-b", HOST, "-p", str(port), *options, APPLICATION]
    return ServiceProcess(arguments, port=port, name=name, directory=directory, environment=environment)


class OwnServer(ServiceProcess):
    """`python -m hunarmitra_ws`, ready when its probe succeeds. `admin_url` and `control_url` are its internal ports.

    `module` may be another module that starts the same server.
    """

    def __init__(
        self,
        directory: Path,
        environment: Mapping[str, str],
        *options: str,
        name: str = "ws",
        module: str = "hunarmitra_ws",
    ) -> None:
        port, admin, control = free_port(), free_port(), free_port()
        self.admin_url = f"http://{HOST}:{admin}"
        self.control_url = f"http://{HOST}:{control}"
        super().__init__(
            ["-m", module, "-b", HOST, "-p", str(port), *options],
            port=port,
            name=name,
            directory=directory,
            environment={**environment, "WS_ADMIN_PORT": str(admin), "WS_CONTROL_PORT": str(control)},
        )

    def _answers(self) -> bool:
        try:
            return web.get(f"{self.admin_url}/readyz", timeout=5).status_code == 200
        except httpx.TransportError:
            return False


def uvicorn(directory: Path, environment: Mapping[str, str], *options: str, name: str = "uvicorn") -> ServiceProcess:
    """Stock uvicorn, with the command of the API document."""
    port = free_port()
    arguments = ["-m", "uvicorn", APPLICATION, "--host", HOST, "--port", str(port), *options]
    return ServiceProcess(arguments, port=port, name=name, directory=directory, environment=environment)


def gunicorn(
    directory: Path,
    environment: Mapping[str, str],
    *options: str,
    name: str = "http",
    application: str = "hunarmitra.wsgi:application",
) -> ServiceProcess:
    """The http service, with its configuration file."""
    port = free_port()
    arguments = [
        "-m",
        "gunicorn",
        "--config",
        "services/http/gunicorn.conf.py",
        "--bind",
        f"{HOST}:{port}",
        *options,
        application,
    ]
    return ServiceProcess(
        arguments, port=port, name=name, directory=directory, environment={**environment, "SERVICES": "http"}
    )


def ws_server(
    directory: Path,
    environment: Mapping[str, str],
    *options: str,
    name: str = "ws",
    by: Literal["daphne", "uvicorn"] = "daphne",
) -> ServiceProcess:
    """A process of only the ws service."""
    start = daphne if by == "daphne" else uvicorn
    return start(directory, {**environment, "SERVICES": "ws"}, *options, name=name)


def relay(directory: Path, environment: Mapping[str, str], name: str = "relay") -> Process:
    """`manage.py relay`, which has no port: it is ready when it runs."""
    return Process([sys.executable, "manage.py", "relay"], log_path=directory / f"{name}.log", environment=environment)

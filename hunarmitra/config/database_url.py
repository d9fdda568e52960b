"""``DATABASE_URL``: which database, as one value of the environment."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote

from hunarmitra.common.urls import split_url

SESSION_TARGETS: Final = ("read-write", "primary", "any")
"""Values of ``target_session_attrs`` with which this project works; libpq knows others, which want a standby."""
DEFAULT_PORT: Final = 5432

_POSTGRESQL: Final = re.compile(r"(?:postgres|postgresql)://(?:([^/?#]*)@)?([^/?#]*)(.*)", re.IGNORECASE | re.DOTALL)
"""Credentials, hosts, and the rest. ``urlsplit`` takes no list of hosts."""


@dataclass(frozen=True)
class DatabaseTarget:
    """A parsed ``DATABASE_URL``; ``engine`` is ``sqlite`` or ``postgresql``. Its repr hides the password.

    ``host`` and ``port`` may list several servers, separated by commas, as libpq takes them.
    """

    engine: str
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int | str | None = None
    options: dict[str, str] = field(default_factory=dict)

    @property
    def has_several_hosts(self) -> bool:
        return "," in self.host

    @classmethod
    def sqlite(cls, path: Path) -> DatabaseTarget:
        return cls(engine="sqlite", name=str(path))


def parse_database_url(url: str) -> DatabaseTarget:
    """Raises ValueError with the rest of a sentence that begins with the variable's name."""
    if found := _POSTGRESQL.fullmatch(url):
        return _postgresql(found[1] or "", found[2], found[3])
    parts = split_url(url)
    if parts.scheme != "sqlite":
        raise ValueError("must begin with sqlite:// or postgresql://")
    name = unquote(parts.path.removeprefix("/"))
    if parts.netloc or not name:
        raise ValueError("must be sqlite:///relative.db or sqlite:////absolute.db")
    return DatabaseTarget.sqlite(Path(name))


def _postgresql(credentials: str, hosts: str, rest: str) -> DatabaseTarget:
    parts = split_url(f"postgresql://{credentials}@host{rest}")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ValueError("must end with one database name, as in postgresql://user:password@host:5432/name")
    user, _, password = credentials.partition(":")
    servers = [_host_and_port(text) for text in hosts.split(",")]
    if len(servers) > 1 and not all(host for host, _ in servers):
        raise ValueError("has an empty host in its list, as in postgresql://host1:5432,host2:5432/name")
    options = dict(parse_qsl(parts.query))
    if options.get("target_session_attrs", "any") not in SESSION_TARGETS:
        raise ValueError(f"must have one of {', '.join(SESSION_TARGETS)} as target_session_attrs")
    return DatabaseTarget(
        engine="postgresql",
        name=name,
        user=unquote(user),
        password=unquote(password),
        host=",".join(host for host, _ in servers),
        port=_ports([port for _, port in servers]),
        options=options,
    )


def _host_and_port(text: str) -> tuple[str, int | None]:
    """Split ``host:port``, where an IPv6 address has brackets."""
    found = re.fullmatch(r"(\[[^][]+\]|[^][:]*)(?::(.*))?", text)
    if found is None:
        raise ValueError("has an invalid host; an IPv6 address needs brackets, as in [::1]:5432")
    host, port = unquote(found[1].strip("[]")), found[2]
    if not port:
        return host, None
    if not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError("has a port that is not a number from 0 to 65535")
    return host, int(port)


def _ports(ports: Sequence[int | None]) -> int | str | None:
    """Return one port for one server, else a list, or None if every server has the default port."""
    if len(ports) == 1:
        return ports[0]
    if not any(ports):
        return None
    return ",".join(str(port or DEFAULT_PORT) for port in ports)

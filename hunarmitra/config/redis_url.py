"""``REDIS_URL``: one Redis, or the Sentinels that know which Redis is the primary."""

from __future__ import annotations

from dataclasses import dataclass, field
from urllib.parse import unquote

from hunarmitra.common.urls import split_url


@dataclass(frozen=True)
class RedisTarget:
    """A parsed ``REDIS_URL``. ``url`` is passed to redis-py; with Sentinel it is empty and the other fields are set."""

    url: str = field(default="", repr=False)
    sentinels: tuple[tuple[str, int], ...] = ()
    primary_name: str = ""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    database: int = 0


def _host_and_port(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    if not host:
        host, port = text, "26379"
    if not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise ValueError("must list Sentinels as host:port, separated by commas")
    return host.strip("[]"), int(port)


def parse_redis_url(url: str) -> RedisTarget:
    """Raises ValueError with the rest of a sentence that begins with the variable's name."""
    parts = split_url(url)
    path = parts.path.strip("/")
    if parts.scheme in {"redis", "rediss"}:
        try:
            if not parts.hostname:
                raise ValueError
            _ = parts.port
        except ValueError:
            raise ValueError("must have a host, as in redis://host:6379/0") from None
        if path and not path.isdigit():
            raise ValueError("must end with a database number, as in redis://host:6379/0")
        return RedisTarget(url=url)
    if parts.scheme != "redis+sentinel":
        raise ValueError("must begin with redis://, rediss:// or redis+sentinel://")
    credentials, _, hosts = parts.netloc.rpartition("@")
    username, _, password = credentials.partition(":")
    name, _, database = path.partition("/")
    if not name or (database and not database.isdigit()):
        raise ValueError("must name the primary, as in redis+sentinel://s1:26379,s2:26379/mymaster/0")
    return RedisTarget(
        sentinels=tuple(_host_and_port(host) for host in hosts.split(",")),
        primary_name=unquote(name),
        username=unquote(username) or None,
        password=unquote(password) or None,
        database=int(database or 0),
    )

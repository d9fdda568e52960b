"""``DATABASE_URL``: which database, as one value of the environment."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, unquote

from hunarmitra.common.urls import split_url


@dataclass(frozen=True)
class DatabaseTarget:
    """A parsed ``DATABASE_URL``; ``engine`` is ``sqlite`` or ``postgresql``. Its repr hides the password."""

    engine: str
    name: str
    user: str = ""
    password: str = field(default="", repr=False)
    host: str = ""
    port: int | None = None
    options: dict[str, str] = field(default_factory=dict)

    @classmethod
    def sqlite(cls, path: Path) -> DatabaseTarget:
        return cls(engine="sqlite", name=str(path))


def parse_database_url(url: str) -> DatabaseTarget:
    """Raises ValueError with the rest of a sentence that begins with the variable's name."""
    parts = split_url(url)
    if parts.scheme == "sqlite":
        name = unquote(parts.path.removeprefix("/"))
        if parts.netloc or not name:
            raise ValueError("must be sqlite:///relative.db or sqlite:////absolute.db")
        return DatabaseTarget.sqlite(Path(name))
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("must begin with sqlite:// or postgresql://")
    name = unquote(parts.path.removeprefix("/"))
    if not name or "/" in name:
        raise ValueError("must end with one database name, as in postgresql://user:password@host:5432/name")
    try:
        port = parts.port
    except ValueError:
        raise ValueError("has a port that is not a number from 0 to 65535") from None
    return DatabaseTarget(
        engine="postgresql",
        name=name,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        host=unquote(parts.hostname or ""),
        port=port,
        options=dict(parse_qsl(parts.query)),
    )

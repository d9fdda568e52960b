"""The variable DATABASE_URL."""

from __future__ import annotations

import pytest

from hunarmitra.config.database_url import DatabaseTarget, parse_database_url


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("sqlite:///relative.db", DatabaseTarget("sqlite", "relative.db")),
        ("sqlite:////var/lib/absolute.db", DatabaseTarget("sqlite", "/var/lib/absolute.db")),
        ("sqlite:///with%20space.db", DatabaseTarget("sqlite", "with space.db")),
        ("postgresql:///name", DatabaseTarget("postgresql", "name")),
        ("postgres://host/name", DatabaseTarget("postgresql", "name", host="host")),
        (
            "postgresql://us%40er:p%2Fw%3A@db.example.org:5433/na%20me?sslmode=require&application_name=hm",
            DatabaseTarget(
                "postgresql",
                "na me",
                "us@er",
                "p/w:",
                "db.example.org",
                5433,
                {"sslmode": "require", "application_name": "hm"},
            ),
        ),
        ("postgresql://u@[::1]:5432/n", DatabaseTarget("postgresql", "n", "u", "", "::1", 5432)),
        ("postgresql://u@%2Frun%2Fpostgresql/n", DatabaseTarget("postgresql", "n", "u", "", "/run/postgresql")),
    ],
)
def test_understood(url: str, target: DatabaseTarget) -> None:
    assert parse_database_url(url) == target


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "must begin with sqlite:// or postgresql://"),
        ("mysql://u:p@h/n", "must begin with sqlite:// or postgresql://"),
        ("sqlite://relative.db", "must be sqlite:///relative.db or sqlite:////absolute.db"),
        ("sqlite:///", "must be sqlite:///relative.db or sqlite:////absolute.db"),
        ("postgresql://h", "must end with one database name"),
        ("postgresql://h/a/b", "must end with one database name"),
        ("postgresql://h:0x1/n", "has a port that is not a number"),
        ("postgresql://[h/n", "has an invalid host"),
    ],
)
def test_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_database_url(url)


def test_the_repr_hides_the_password() -> None:
    assert "hunter2" not in repr(parse_database_url("postgresql://u:hunter2@h/n"))

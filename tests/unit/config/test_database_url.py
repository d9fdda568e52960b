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
        ("postgresql://u@%2FRun%2FPG/n", DatabaseTarget("postgresql", "n", "u", "", "/Run/PG")),
        ("postgresql://u:p@h1,h2/n", DatabaseTarget("postgresql", "n", "u", "p", "h1,h2")),
        (
            "postgresql://u:p%2C@h1:5432,h2:5433/n?target_session_attrs=primary",
            DatabaseTarget("postgresql", "n", "u", "p,", "h1,h2", "5432,5433", {"target_session_attrs": "primary"}),
        ),
        ("postgresql://h1,h2:5433/n", DatabaseTarget("postgresql", "n", host="h1,h2", port="5432,5433")),
        (
            "postgresql://u@[2001:db8::1]:6432,[::1],h3/n",
            DatabaseTarget("postgresql", "n", "u", "", "2001:db8::1,::1,h3", "6432,5432,5432"),
        ),
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
        ("postgresql://h1:5432,h2:x/n", "has a port that is not a number"),
        ("postgresql://h1:5432,:5433/n", "has an empty host in its list"),
        ("postgresql://h1,,h2/n", "has an empty host in its list"),
        ("postgresql://h/n?target_session_attrs=standby", "must have one of read-write, primary, any as"),
        ("postgresql://h/n?target_session_attrs=rw", "must have one of read-write, primary, any as"),
    ],
)
def test_refused(url: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_database_url(url)


def test_the_repr_hides_the_password() -> None:
    assert "hunter2" not in repr(parse_database_url("postgresql://u:hunter2@h/n"))

"""A database whose node lost its power answers nothing: its connections must end within seconds by themselves."""

from __future__ import annotations

from tests.support.postgres import PostgresServer
from tests.support.stack import base_environment, call_in, fresh_postgres

LIMIT = 10.0
"""Seconds in which a process that lost the database to silence has to notice."""


def tcp_options_of_the_database_connection() -> dict[str, int]:
    import socket

    import django

    django.setup()
    from django.db import connection

    connection.ensure_connection()
    tcp = socket.socket(fileno=connection.connection.fileno())
    names = ("TCP_USER_TIMEOUT", "TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
    found = {name: tcp.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in names}
    found["SO_KEEPALIVE"] = tcp.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
    tcp.detach()
    return found


def test_a_connection_that_nobody_answers_on_ends_within_seconds(postgres_server: PostgresServer) -> None:
    """As the kernel was told: nothing short of a lost packet shows it, and that needs a network of one's own."""
    environment = base_environment(
        DATABASE_URL=fresh_postgres(postgres_server), DJANGO_SETTINGS_MODULE="hunarmitra.settings"
    )
    tcp = call_in(environment, tcp_options_of_the_database_connection)
    assert tcp["SO_KEEPALIVE"], "one that waits for an answer has nothing under way that could go unacknowledged"
    assert 0 < tcp["TCP_USER_TIMEOUT"] <= LIMIT * 1000
    assert tcp["TCP_KEEPIDLE"] + tcp["TCP_USER_TIMEOUT"] / 1000 <= LIMIT
    assert tcp["TCP_KEEPIDLE"] + tcp["TCP_KEEPINTVL"] * tcp["TCP_KEEPCNT"] <= LIMIT + 1

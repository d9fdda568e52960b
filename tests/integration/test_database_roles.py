"""The documented user of PostgreSQL that only reads and writes rows suffices for every process but migrations."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import httpx
import psycopg
import pytest

from tests.integration.rest.test_admin import Browser
from tests.integration.rest.test_second_factor import attempt, is_let_in, set_up
from tests.support.actors import Actors, User
from tests.support.live import join
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack, base_environment, distributed_stack, run_python
from tests.support.surroundings import REPOSITORY

NAME = "hunarmitra"
OWNER, APPLICATION = "hunarmitra_owner", "hunarmitra_app"
FORBIDDEN = (
    "CREATE TABLE stolen (id int)",
    "CREATE TEMPORARY TABLE stolen (id int)",
    "CREATE SCHEMA stolen",
    "DROP TABLE bookings_booking",
    "TRUNCATE bookings_bookingevent",
    "ALTER TABLE bookings_booking DISABLE TRIGGER ALL",
    "CREATE FUNCTION stolen() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "COPY bookings_booking TO '/tmp/stolen'",
    f"SET ROLE {OWNER}",
)


def documented_sql() -> list[str]:
    """The two blocks of docs/operations.md: as superuser, and as owner in the database."""
    text = (REPOSITORY / "docs" / "operations.md").read_text()
    section = text[text.index("**Two users of the database.**") :]
    return re.findall(r"```sql\n(.*?)```", section, re.DOTALL)[:2]


@pytest.fixture(scope="module")
def database_url(postgres_server: PostgresServer) -> Iterator[str]:
    """A database with these users, migrated by its owner; the URL is that of the application."""
    as_superuser, as_owner = documented_sql()
    for statement in filter(str.strip, as_superuser.split(";")):
        postgres_server.execute(statement)
    owner_url = postgres_server.url(NAME).replace("//hunarmitra@", f"//{OWNER}@")
    with psycopg.connect(owner_url, autocommit=True) as connection:
        connection.execute(as_owner.encode())
    run_python(base_environment(DATABASE_URL=owner_url), "manage.py", "migrate", "--no-input", "-v", "0")
    yield owner_url.replace(OWNER, APPLICATION)
    postgres_server.drop_database(owner_url)


@pytest.mark.slow
async def test_every_process_does_its_work_as_the_user_for_rows(
    database_url: str, postgres_server: PostgresServer, tmp_path: Path
) -> None:
    with (
        distributed_stack(
            tmp_path,
            postgres_server,
            database_url=database_url,
            ws=1,
            TRACKING_MIN_INTERVAL="0",
            HUB_COMPARISON_INTERVAL="60",
        ) as stack,
        closing(Actors.of(stack)) as people,
    ):
        ready = await asyncio.to_thread(httpx.get, f"{stack.base_url}/readyz", trust_env=False, timeout=60)
        assert ready.status_code == 200
        booking = people.new_booking("confirmed")
        async with await join(stack.booking_url(booking), people.employer.token) as socket:
            people.worker.status(booking, "on_the_way")
            assert (await socket.next_of("booking_status"))["status"] == "on_the_way"
            people.worker.track(booking, 28.6, 77.2)
            assert (await socket.next_of("location_update"))["lat"] == 28.6
            with psycopg.connect(database_url, autocommit=True) as connection:
                connection.execute("UPDATE bookings_booking SET seq = seq + 1 WHERE id = %s", [booking])
                connection.execute(
                    "INSERT INTO bookings_bookingevent"
                    " (booking_id, seq, event_type, status, actor, clears_location, created_at)"
                    " SELECT id, seq, 'booking_assigned', status, 'Crashed', false, now() - interval '1 minute'"
                    " FROM bookings_booking WHERE id = %s",
                    [booking],
                )
            assert (await socket.next_of("booking_status"))["actor"] == "Crashed", "through the relay"
            people.employer.logout()
            assert (await socket.closed())[0] == 4001
        await asyncio.to_thread(use_a_second_factor, stack, people.admin.user)
        stack.manage("prune")
        assert "permission denied" not in stack.log_text()


def use_a_second_factor(stack: Stack, user: User) -> None:
    with closing(Browser(stack.base_url)) as browser:
        browser.sign_in(user)
        _, codes = set_up(browser, user)
        assert is_let_in(attempt(stack, user, codes[0]))


@pytest.mark.parametrize("statement", FORBIDDEN)
def test_that_user_changes_no_table(database_url: str, statement: str) -> None:
    with (
        psycopg.connect(database_url, autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        connection.execute(statement.encode())

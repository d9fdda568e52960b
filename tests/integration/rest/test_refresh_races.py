"""A refresh whose answer is lost or that is sent twice, over two processes: always one successor."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.integration.rest.conftest import http_processes
from tests.support import web
from tests.support.actors import Actor, seed
from tests.support.faults import Faults
from tests.support.postgres import PostgresServer
from tests.support.stack import Stack, fresh_postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def scene(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Stack, Faults]]:
    """Two http processes that obey the faults."""
    with ExitStack() as running:
        faults = Faults(tmp_path / "faults")
        running.callback(faults.release_all)
        variables = dict(faults.environment)
        if request.param == "postgresql":
            server: PostgresServer = request.getfixturevalue("postgres_server")
            variables["DATABASE_URL"] = fresh_postgres(server)
            running.callback(server.drop_database, variables["DATABASE_URL"])
        yield running.enter_context(http_processes(tmp_path, variables, count=2)), faults


def refresh(stack: Stack, process: int, token: str) -> dict[str, Any]:
    url = f"{stack.base_urls[process]}/api/v1/auth/refresh/"
    answer = web.post(url, json={"refresh": token}, timeout=60)
    assert answer.status_code == 200, answer.text
    tokens: dict[str, Any] = answer.json()
    return tokens


def test_one_successor_whoever_is_first(scene: tuple[Stack, Faults]) -> None:
    stack, faults = scene
    with closing(Actor(stack.base_url, seed(stack, ["employer"])[0])) as actor, ThreadPoolExecutor(2) as pool:
        # The second request arrives while the first has exchanged the token and not committed.
        exchanged = faults.arm("refresh exchanged, not committed")
        first = pool.submit(refresh, stack, 0, actor.refresh_token)
        exchanged.wait_reached()
        read = faults.arm("refresh read, not locked")
        second = pool.submit(refresh, stack, 1, actor.refresh_token)
        read.wait_reached()
        read.release()
        exchanged.release()
        tokens = first.result(60)
        assert second.result(60)["refresh"] == tokens["refresh"] != actor.refresh_token

        # The second request was read before the first commits, and takes the lock after it.
        read = faults.arm("refresh read, not locked")
        second = pool.submit(refresh, stack, 1, tokens["refresh"])
        read.wait_reached()
        newer = refresh(stack, 0, tokens["refresh"])
        read.release()
        assert second.result(60)["refresh"] == newer["refresh"] != tokens["refresh"]
        for access in (tokens["access"], newer["access"], second.result()["access"]):
            actor.token = access
            assert actor.me()


def test_a_lost_answer_costs_nobody_the_session(scene: tuple[Stack, Faults]) -> None:
    """The process dies between the commit and the answer. The client sends the same request again."""
    stack, faults = scene
    with closing(Actor(stack.base_url, seed(stack, ["employer"])[0])) as actor:
        lost = faults.arm("refresh committed, not answered", "kill")
        with pytest.raises(httpx.TransportError):
            refresh(stack, 0, actor.refresh_token)
        assert lost.reached
        tokens = refresh(stack, 1, actor.refresh_token)
        newer = refresh(stack, 1, tokens["refresh"])
        assert newer["refresh"] != tokens["refresh"]
        answer = web.get(
            f"{stack.base_urls[1]}/api/v1/users/me/",
            headers={"Authorization": f"Bearer {newer['access']}"},
            timeout=60,
        )
        assert answer.json()["id"] == actor.id

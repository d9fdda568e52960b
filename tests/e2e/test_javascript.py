"""The JavaScript client through the ingress: it resumes, and leaves nothing in the access log that is worth a try."""

from __future__ import annotations

import asyncio
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.e2e.cluster import Release
from tests.e2e.conftest import People
from tests.support import tools
from tests.support.eventually import eventually
from tests.support.sockets import Socket
from tests.support.surroundings import clean_environment

SCRIPT = Path(__file__).parent / "watch.js"


def watch(release: Release, people: People, booking: str, until: int) -> dict[str, object]:
    employer = people.employer.user
    environment = {
        "BASE_URL": release.base_url,
        "HOST": release.host,
        "ADDRESS": os.environ.get("E2E_INGRESS", "127.0.0.1:80").rpartition(":")[0],
        "LOGIN": f"{employer.username}:{employer.password}",
        "BOOKING": booking,
        "UNTIL": str(until),
    }
    done = subprocess.run(
        ["node", "--input-type=module", "--eval", SCRIPT.read_text()],
        cwd=tools.js_client(),
        env=clean_environment(environment),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout))


def test_only_spent_tickets_stand_in_the_ingress_log(release: Release, people: People) -> None:
    """E2E_INGRESS_LOG is the ingress's access log, where the test can read it."""
    if "E2E_INGRESS_LOG" not in os.environ:
        pytest.skip("E2E_INGRESS_LOG is not set")
    [booking] = people.bookings(1)
    people.worker.status(booking, "on_the_way")
    found = watch(release, people, booking, until=4)
    assert found["seqs"] == [1, 2, 3, 4], "each once, over two connections"
    assert found["connections"] == 2

    log = Path(os.environ["E2E_INGRESS_LOG"])

    def connections() -> list[str]:
        """Their lines, which the ingress writes when they are over."""
        return [line for line in log.read_text(errors="replace").splitlines() if f"/ws/bookings/{booking}/" in line]

    eventually(lambda: len(connections()) >= 2, 60, "the ingress has logged both connections")
    ours, text = connections(), log.read_text(errors="replace")
    tickets = re.findall(r"[?&]ticket=([^&\s\"]+)", "\n".join(ours))
    assert len(tickets) == len(ours) == 2, ours
    for secret in (found["access"], people.employer.user.password):
        assert str(secret) not in text
    assert not re.search(r"[?&]token=", "\n".join(ours))

    async def spent(ticket: str) -> int:
        async with await Socket.connect(release.booking_url(booking), token=ticket, how="ticket") as socket:
            return (await socket.closed())[0]

    for ticket in tickets:
        assert asyncio.run(spent(ticket)) == 4001

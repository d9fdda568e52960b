"""The JavaScript client's own test against a server, through its proxy that drops, delays and half-closes.

Each run has its own faults, by its seed. `make test-js-faults` does 200 (RUNS, and SEED for the first one's seed).
"""

from __future__ import annotations

import os
import re
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.support import tools
from tests.support.actors import Actors
from tests.support.stack import embedded_stack
from tests.support.surroundings import clean_environment

RUNS = int(os.environ.get("RUNS", "4"))
SEED = int(os.environ.get("SEED", "1"))
TESTS = ("test/real-server.test.js", "test/real-server-connection.test.js")
SECONDS = 120 + 20 * RUNS
"""Each run of each file takes less than one on an idle machine."""


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
def test_the_client_ends_with_the_servers_log_whatever_the_network_does(tmp_path: Path) -> None:
    with embedded_stack(tmp_path, TRACKING_MIN_INTERVAL="0") as stack, closing(Actors.of(stack)) as actors:
        run_against(stack.base_url, actors)


def run_against(base_url: str, actors: Actors) -> None:
    people = {"EMPLOYER": actors.employer, "WORKER": actors.worker, "STAFF": actors.admin}
    logins = {f"HUNARMITRA_{name}": f"{who.user.username}:{who.user.password}" for name, who in people.items()}
    runs = {"HUNARMITRA_FAULT_RUNS": str(RUNS), "HUNARMITRA_FAULT_SEED": str(SEED)}
    result = subprocess.run(
        ["node", "--test", "--test-reporter=tap", "--test-concurrency=1", *TESTS],
        cwd=tools.js_client(),
        env=clean_environment({"HUNARMITRA_BASE_URL": base_url, **runs, **logins}),
        capture_output=True,
        text=True,
        check=False,
        timeout=SECONDS,
    )
    assert result.returncode == 0, result.stdout[-6000:]
    assert re.search(r"^# pass 4$", result.stdout, re.MULTILINE), result.stdout[-2000:]
    assert re.search(r"^# skipped 0$", result.stdout, re.MULTILINE)

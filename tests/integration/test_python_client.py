"""The Python client's own test against a server, through its proxy that drops, delays, half-closes and stalls.

Each run has its own faults, by its seed. `make test-python-faults` does 200 (RUNS, and SEED for the first one's seed).
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.actors import Actors
from tests.support.stack import embedded_stack
from tests.support.surroundings import clean_environment

CLIENT = Path(__file__).parents[2] / "clients" / "python"
RUNS = int(os.environ.get("RUNS", "4"))
SEED = int(os.environ.get("SEED", "1"))
SECONDS = 180 + 40 * RUNS


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 60)
def test_streams_on_one_connection_end_with_the_servers_log_whatever_the_network_does(tmp_path: Path) -> None:
    with embedded_stack(tmp_path, TRACKING_MIN_INTERVAL="0") as stack, closing(Actors.of(stack)) as actors:
        people = {"EMPLOYER": actors.employer, "WORKER": actors.worker, "STAFF": actors.admin}
        logins = {f"HUNARMITRA_{name}": f"{who.user.username}:{who.user.password}" for name, who in people.items()}
        runs = {"HUNARMITRA_FAULT_RUNS": str(RUNS), "HUNARMITRA_FAULT_SEED": str(SEED)}
        result = subprocess.run(
            [
                sys.executable,
                "-m",
                "pytest",
                "-q",
                "-p",
                "no:xdist",
                "-p",
                "no:cacheprovider",
                "tests/test_real_server.py",
            ],
            cwd=CLIENT,
            env=clean_environment({"HUNARMITRA_BASE_URL": stack.base_url, **runs, **logins}),
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        assert result.returncode == 0, result.stdout[-6000:]
        assert re.search(rf"^{RUNS + 1} passed", result.stdout, re.MULTILINE), result.stdout[-2000:]

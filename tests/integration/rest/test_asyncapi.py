"""The description of the sockets: served as it is kept in docs/, and accepted by AsyncAPI's own parser."""

from __future__ import annotations

import json
import subprocess

import pytest

from tests.support import tools
from tests.support.api import Api
from tests.support.stack import Stack
from tests.support.surroundings import REPOSITORY, clean_environment


@pytest.mark.slow
def test_it_is_served_and_the_official_parser_has_nothing_against_it(nobody: Api, stack: Stack) -> None:
    answer = nobody.http.get(f"{stack.base_url}/api/asyncapi/")
    assert answer.status_code == 200
    assert answer.json() == json.loads((REPOSITORY / "docs" / "asyncapi.json").read_text())
    result = subprocess.run(
        ["node", tools.asyncapi_validator()],
        input=answer.text,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    verdict = json.loads(result.stdout)
    assert verdict["problems"] == []
    assert {"booking.events", "booking.authenticate", "notifications.mark_read"} <= set(verdict["operations"])

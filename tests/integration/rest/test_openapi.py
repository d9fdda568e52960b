"""The API's description: valid OpenAPI 3.1, complete, and true of what the server answers."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.support.actors import Actors
from tests.support.api import Api
from tests.support.stack import Stack
from tests.support.surroundings import clean_environment

pytestmark = pytest.mark.either_shape

OPERATIONS = {
    ("post", "auth/token/"), ("post", "auth/refresh/"), ("post", "auth/verify/"), ("post", "auth/logout/"),
    ("get", "users/me/"), ("get", "workers/"), ("post", "realtime/tickets/"), ("get", "bookings/"),
    ("post", "bookings/"), ("get", "bookings/{booking_id}/"), ("patch", "bookings/{booking_id}/status/"),
    ("post", "bookings/{booking_id}/assign/"), ("get", "bookings/{booking_id}/events/"),
    ("post", "tracking/{booking_id}/"), ("get", "tracking/{booking_id}/"), ("get", "notifications/"),
    ("patch", "notifications/{notification_id}/mark_read/"), ("patch", "notifications/mark_all_read/"),
}  # fmt: skip
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,unsupported_method,ignored_auth"
)


@pytest.fixture
def description(nobody: Api, stack: Stack) -> dict[str, Any]:
    answer = nobody.http.get(f"{stack.base_url}/api/schema/")
    assert answer.status_code == 200
    body: dict[str, Any] = answer.json()
    return body


def test_it_is_valid_openapi_3_1_and_has_every_operation(description: dict[str, Any]) -> None:
    assert description["openapi"].startswith("3.1")
    OpenAPIV31SpecValidator(description).validate()
    operations = {
        (method, path.removeprefix("/api/v1/")) for path, item in description["paths"].items() for method in item
    }
    assert operations == OPERATIONS


def test_every_operation_documents_its_errors_in_the_one_shape(description: dict[str, Any]) -> None:
    for path, item in description["paths"].items():
        for method, operation in item.items():
            responses = operation["responses"]
            statuses = set(responses)
            assert {"401", "405", "429", "503"} <= statuses, path
            assert ("requestBody" in operation) <= ({"400", "413", "415"} <= statuses), path
            assert ("{" in path) <= ("404" in statuses), path
            assert any(status.startswith("2") for status in statuses), (method, path)
            for status in statuses - {"200", "201", "205"}:
                schema = responses[status]["content"]["application/json"]["schema"]["$ref"]
                assert schema.endswith("/InvalidRequest" if status == "400" else "/Error"), (path, status)
            assert "Retry-After" in responses["429"]["headers"]


@pytest.mark.timeout(600)
@pytest.mark.slow
@pytest.mark.parametrize("role", ["admin", "worker"])
def test_schemathesis_finds_no_server_error_and_no_undocumented_answer(
    actors: Actors, stack: Stack, tmp_path: Path, role: str
) -> None:
    """Generated requests, valid and not, as staff (who reach most) and as a worker; signing out is left out."""
    booking_id = actors.new_booking("on_the_way")
    actors.worker.track(booking_id, 28.6139, 77.2090)
    config = tmp_path / "schemathesis.toml"
    config.write_text(f'[parameters]\n"path.booking_id" = "{booking_id}"\n')
    actor = getattr(actors, role)
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(config), "run",
        f"{stack.base_url}/api/schema/", "--header", f"Authorization: Bearer {actor.token}", "--checks", CHECKS,
        "--phases", "coverage,fuzzing", "--max-examples", "15", "--no-shrink", "--seed", "1",
        "--generation-database", "none", "--no-color",
    ]  # fmt: skip
    result = subprocess.run(
        command, cwd=tmp_path, env=clean_environment(), capture_output=True, text=True, check=False, timeout=570
    )
    report = re.sub(r"eyJ[\w.-]+", "[token]", result.stdout + result.stderr)
    assert result.returncode == 0, report[-12_000:]
    assert f"Tested: {len(OPERATIONS)}" in report

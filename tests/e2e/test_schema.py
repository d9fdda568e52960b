"""Migrations only expand: code passes the smoke suite on a schema that is ahead of it, as after a rollback.

Once with the code as it is on the schema of a next release, made up here of all that a migration may do; and once with
the code and the chart of the last release whose schema was another, on the schema as it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import in_pods
from tests.e2e.cluster import Release
from tests.e2e.test_smoke import (  # noqa: F401 - collected once more, on the new schema
    test_a_rolling_restart_of_ws_goes_unnoticed,
    test_a_watcher_sees_the_booking_change,
    test_helm_test_passes,
    test_notifications_arrive,
    test_what_the_helm_test_made_is_gone,
    test_who_may_not_watch_is_told_why,
)

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("ahead"), pytest.mark.timeout(300)]
WRITTEN_MOST = {"bookings": "booking", "accounts": "user", "notifications": "notification"}


def migrate(release: Release, *, forward: bool) -> list[str]:
    """The columns of a booking afterwards."""
    return list(release.call("http", in_pods.migrate_ahead, tables=WRITTEN_MOST, forward=forward))


@pytest.fixture(scope="module", params=["a release ahead", "the previous release"])
def ahead(request: pytest.FixtureRequest, release: Release) -> Iterator[None]:
    """A database that is ahead of the code, whose pods started on it.

    E2E_PREVIOUS is a folder with the previous release's source; its images are there with the tag `previous`.
    """
    if request.param == "a release ahead":
        assert "next_required" in migrate(release, forward=True)
        release.restart("http", "relay")
        release.rolled_out("http", "relay")
        yield
        assert "next_required" not in migrate(release, forward=False)
    elif "E2E_PREVIOUS" not in os.environ:
        pytest.skip("E2E_PREVIOUS is not set")
    else:
        source = Path(os.environ["E2E_PREVIOUS"])
        release.apply("upgrade", "image.tag=previous", source=source)
        release.rolled_out("http", "ws")
        yield
        release.apply("upgrade")
        release.rolled_out("http", "ws")

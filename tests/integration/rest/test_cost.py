"""What a request costs the database, which is what limits how many there can be."""

from __future__ import annotations

from typing import Any

from tests.support.actors import Actors
from tests.support.shell import Shell
from tests.support.stack import Stack

LOCATION = {"lat": 28.6, "lng": 77.2}


def queries_of_request(method: str, path: str, body: Any, token: str) -> list[Any]:
    """Return the status of a request to Django, and the first word of each query."""
    import json

    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(SERVER_NAME="127.0.0.1")
    content = json.dumps(body) if body is not None else ""
    bearer = f"Bearer {token}"
    with CaptureQueriesContext(connection) as captured:
        answer = client.generic(
            method, path, content, content_type="application/json", headers={"authorization": bearer}
        )
    connection.close()
    return [answer.status_code, [query["sql"].split()[0] for query in captured.captured_queries]]


def test_a_location_costs_one_read_and_one_write(actors: Actors, shell: Shell, stack: Stack) -> None:
    """The read is the session's; in front of Django (``hunarmitra_http.location_posts``) the write does that too."""
    booking_id = actors.new_booking()
    status, queries = shell.call(
        queries_of_request,
        method="POST",
        path=f"/api/v1/tracking/{booking_id}/",
        body=LOCATION,
        token=actors.worker.token,
    )
    judged_in_python = ["BEGIN", "SELECT", "SELECT", "UPDATE", "COMMIT"]
    assert (status, queries) == (200, ["SELECT", *(judged_in_python if stack.kind == "embedded" else ["WITH"])])


def queries_in_front_of_django(path: str, body: Any, token: str) -> list[Any]:
    """Return the status of a location that is answered in front of Django, and the first word of each query."""
    import io
    import json

    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from hunarmitra_http.location_posts import LocationPosts

    def django(environ: Any, start_response: Any) -> Any:
        raise AssertionError("it went to Django")

    statuses: list[str] = []
    encoded = json.dumps(body).encode()
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": path,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(encoded)),
        "HTTP_HOST": "127.0.0.1",
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(encoded),
    }
    with CaptureQueriesContext(connection) as captured:
        list(LocationPosts(django)(environ, lambda status, headers: statuses.append(status)))
    connection.close()
    return [statuses[0], [query["sql"].split()[0] for query in captured.captured_queries]]


def test_in_front_of_django_a_location_costs_one_statement(actors: Actors, shell: Shell, stack: Stack) -> None:
    path = f"/api/v1/tracking/{actors.new_booking()}/"
    status, queries = shell.call(queries_in_front_of_django, path=path, body=LOCATION, token=actors.worker.token)
    judged_in_python = ["BEGIN", "SELECT", "SELECT", "UPDATE", "COMMIT"]
    assert (status, queries) == ("200 OK", judged_in_python if stack.kind == "embedded" else ["WITH"])


def test_a_status_change_costs_few_statements(actors: Actors, shell: Shell, stack: Stack) -> None:
    """First the session's; last, with Redis, the one that marks the published events after the commit."""
    booking_id = actors.new_booking("confirmed")
    status, queries = shell.call(
        queries_of_request,
        method="PATCH",
        path=f"/api/v1/bookings/{booking_id}/status/",
        body={"status": "on_the_way"},
        token=actors.worker.token,
    )
    changed = ["SELECT", "SELECT", "UPDATE", "INSERT", "UPDATE", "INSERT"]
    marked = [] if stack.kind == "embedded" else ["WITH"]
    assert (status, queries) == (200, ["SELECT", "BEGIN", *changed, "COMMIT", *marked])


def test_lists_cost_the_same_however_long_they_are(actors: Actors, shell: Shell) -> None:
    for _ in range(3):
        actors.new_booking()
    for path, most in (("bookings/", 3), ("notifications/", 3), ("workers/", 3)):
        actor = actors.admin if path == "workers/" else actors.employer
        status, queries = shell.call(
            queries_of_request, method="GET", path=f"/api/v1/{path}", body=None, token=actor.token
        )
        assert status == 200
        assert queries == ["SELECT"] * most, path

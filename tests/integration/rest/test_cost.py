"""What a request costs the database, which is what limits how many there can be."""

from __future__ import annotations

from tests.support.actors import Actors
from tests.support.shell import Shell
from tests.support.stack import Stack

COUNT = """
import json
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

client = Client(SERVER_NAME="127.0.0.1")
with CaptureQueriesContext(connection, ) as captured:
    answer = client.generic(method, path, json.dumps(body) if body is not None else "",
        content_type="application/json", HTTP_AUTHORIZATION="Bearer " + token)
connection.close()
result = [answer.status_code, [query["sql"].split()[0] for query in captured.captured_queries]]
"""


def test_a_location_costs_one_read_and_one_write(actors: Actors, shell: Shell, stack: Stack) -> None:
    """The read is the session's; in front of Django (``hunarmitra_http.location_posts``) the write does that too."""
    booking_id = actors.new_booking()
    status, queries = shell.run(
        COUNT,
        method="POST",
        path=f"/api/v1/tracking/{booking_id}/",
        body={"lat": 28.6, "lng": 77.2},
        token=actors.worker.token,
    )
    judged_in_python = ["BEGIN", "SELECT", "SELECT", "UPDATE", "COMMIT"]
    assert (status, queries) == (200, ["SELECT", *(judged_in_python if stack.kind == "embedded" else ["WITH"])])


IN_FRONT = """
import io, json
from django.db import connection
from django.test.utils import CaptureQueriesContext
from hunarmitra_http.location_posts import LocationPosts

def django(environ, start_response):
    raise AssertionError("it went to Django")

statuses = []
encoded = json.dumps(body).encode()
environ = {
    "REQUEST_METHOD": "POST", "PATH_INFO": path,
    "CONTENT_TYPE": "application/json", "CONTENT_LENGTH": str(len(encoded)),
    "HTTP_HOST": "127.0.0.1", "HTTP_AUTHORIZATION": "Bearer " + token, "wsgi.input": io.BytesIO(encoded),
}
with CaptureQueriesContext(connection) as captured:
    list(LocationPosts(django)(environ, lambda status, headers: statuses.append(status)))
connection.close()
result = [statuses[0], [query["sql"].split()[0] for query in captured.captured_queries]]
"""


def test_in_front_of_django_a_location_costs_one_statement(actors: Actors, shell: Shell, stack: Stack) -> None:
    status, queries = shell.run(
        IN_FRONT,
        path=f"/api/v1/tracking/{actors.new_booking()}/",
        body={"lat": 28.6, "lng": 77.2},
        token=actors.worker.token,
    )
    judged_in_python = ["BEGIN", "SELECT", "SELECT", "UPDATE", "COMMIT"]
    assert (status, queries) == ("200 OK", judged_in_python if stack.kind == "embedded" else ["WITH"])


def test_lists_cost_the_same_however_long_they_are(actors: Actors, shell: Shell) -> None:
    for _ in range(3):
        actors.new_booking()
    for path, most in (("bookings/", 3), ("notifications/", 3), ("workers/", 3)):
        actor = actors.admin if path == "workers/" else actors.employer
        status, queries = shell.run(COUNT, method="GET", path=f"/api/v1/{path}", body=None, token=actor.token)
        assert status == 200
        assert queries == ["SELECT"] * most, path

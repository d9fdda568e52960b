"""The check of REST answers finds differences from the description; all tests over REST depend on it."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from tests.support.answers import problems_of_answer

ERROR = {"detail": "No such resource.", "code": "not_found"}
ME = {"id": "6f1c2f6e-8f6b-4f0e-9a53-0f8c0a6c3b52", "name": "Asha", "role": "employer"}
PAGE: dict[str, Any] = {"count": 0, "next": None, "previous": None, "results": []}


def answer(method: str, path: str, status: int, body: Any = None, **headers: str) -> httpx.Response:
    request = httpx.Request(method, f"http://testserver/api/v1/{path}")
    content = {} if body is None else {"json": body}
    return httpx.Response(status, request=request, headers=headers, **content)


@pytest.mark.parametrize(
    "right",
    [
        answer("GET", "users/me/", 200, ME),
        answer("HEAD", "users/me/", 200),
        answer("GET", "bookings/", 200, PAGE),
        answer("GET", "bookings/x/", 404, ERROR),
        answer("PATCH", "notifications/mark_all_read/", 200, {"updated": 1}),
        answer("POST", "auth/logout/", 205),
        answer("GET", "nothing/", 404, ERROR),
        answer("DELETE", "bookings/", 405, {"detail": "No.", "code": "method_not_allowed"}),
        answer("GET", "users/me/", 429, {"detail": "Too many.", "code": "throttled"}, **{"Retry-After": "3"}),
    ],
    ids=lambda right: f"{right.request.method} {right.request.url.path} {right.status_code}",
)
def test_what_is_described_is_let_through(right: httpx.Response) -> None:
    assert problems_of_answer(right) == []


@pytest.mark.parametrize(
    ("wrong", "problem"),
    [
        (answer("GET", "users/me/", 200, ME | {"phone": "1"}), "phone"),
        (answer("GET", "users/me/", 200, {"id": ME["id"]}), "required"),
        (answer("GET", "users/me/", 200, ME | {"id": "7"}), "uuid"),
        (answer("GET", "bookings/", 200, PAGE | {"results": [{"id": ME["id"]}]}), "results"),
        (answer("GET", "users/me/", 500, ERROR), "500 is not in the description"),
        (answer("GET", "users/me/", 409, ERROR), "409 is not in the description"),
        (answer("GET", "nothing/", 200, {}), "200 is not in the description"),
        (answer("DELETE", "bookings/", 204), "204 is not in the description"),
        (answer("POST", "auth/logout/", 205, {}), "a body where none is described"),
        (answer("GET", "users/me/", 429, {"detail": "Too many.", "code": "throttled"}), "without Retry-After"),
        (httpx.Response(404, request=httpx.Request("GET", "http://t/api/v1/x/"), html="<p>"), "text/html"),
    ],
)
def test_what_is_not_is_a_problem(wrong: httpx.Response, problem: str) -> None:
    found = problems_of_answer(wrong)
    assert any(problem in each for each in found), found

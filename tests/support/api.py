"""A REST client for one user of a running stack. Each call checks the status and returns the JSON.

Every answer must match the OpenAPI description, as every frame must match the catalogue.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from typing import Any, Self

import httpx

from tests.support import web
from tests.support.answers import problems_of_answer
from tests.support.eventually import HANG

Json = Any


def _judge(answer: httpx.Response) -> None:
    answer.read()
    problems = problems_of_answer(answer)
    assert not problems, problems


class Api:
    """A client of one user; anonymous while `token` is empty. Thread-safe: `await asyncio.to_thread(api.track, …)`."""

    def __init__(self, base_url: str, *, token: str = "", refresh_token: str = "") -> None:
        self.base_url = base_url
        self.token = token
        self.refresh_token = refresh_token
        self.http = httpx.Client(
            base_url=f"{base_url}/api/v1/",
            timeout=HANG,
            trust_env=False,
            verify=web.CONTEXT,
            event_hooks={"response": [_judge]},
        )

    @classmethod
    def login(cls, base_url: str, username: str, password: str) -> Self:
        """Sign in over REST; each call starts a new session."""
        with closing(Api(base_url)) as anybody:
            tokens = anybody.call("POST", "auth/token/", {"username": username, "password": password})
        return cls(base_url, token=tokens["access"], refresh_token=tokens["refresh"])

    def close(self) -> None:
        self.http.close()

    def send(
        self,
        method: str,
        path: str,
        json: Json = None,
        *,
        headers: Mapping[str, str] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Send a request; return the response with any status."""
        authorization = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        body = {} if json is None else {"json": json}
        return self.http.request(method, path, headers={**authorization, **(headers or {})}, **body, **options)

    def call(
        self,
        method: str,
        path: str,
        json: Json = None,
        *,
        expect: int = 200,
        headers: Mapping[str, str] | None = None,
    ) -> Json:
        """Send a request; return the JSON of the response, None without a body. The status must be `expect`."""
        response = self.send(method, path, json, headers=headers)
        assert response.status_code == expect, f"{method} {path}: {response.status_code} {response.text[:2000]}"
        return response.json() if response.content else None

    # ── sessions ────────────────────────────────────────────────────────────────────────────────────────────
    def refresh(self, expect: int = 200) -> Json:
        """Rotate the refresh token, and use the new tokens from now on."""
        tokens = self.call("POST", "auth/refresh/", {"refresh": self.refresh_token}, expect=expect)
        if expect == 200:
            self.token, self.refresh_token = tokens["access"], tokens["refresh"]
        return tokens

    def logout(self, expect: int = 205) -> Json:
        return self.call("POST", "auth/logout/", {"refresh": self.refresh_token}, expect=expect)

    def me(self, expect: int = 200) -> Json:
        return self.call("GET", "users/me/", expect=expect)

    def workers(self, expect: int = 200) -> Json:
        return self.call("GET", "workers/", expect=expect)

    def ticket(self) -> str:
        return str(self.call("POST", "realtime/tickets/", {}, expect=201)["ticket"])

    # ── bookings ────────────────────────────────────────────────────────────────────────────────────────────
    def create_booking(self, *, expect: int = 201, idempotency_key: str = "", **fields: Json) -> Json:
        """Create a booking in Delhi, with a site; `fields` replace or extend the defaults."""
        body = {
            "service": "plumbing",
            "address": "12 Connaught Place, New Delhi",
            "lat": 28.6139,
            "lng": 77.2090,
            "preferred_time": "2030-01-03T11:00:00Z",
            "notes": "Ring twice",
            "estimated_price": "499.00",
            **fields,
        }
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else {}
        return self.call("POST", "bookings/", body, expect=expect, headers=headers)

    def bookings(self, expect: int = 200) -> Json:
        return self.call("GET", "bookings/", expect=expect)

    def booking(self, booking_id: str, expect: int = 200) -> Json:
        return self.call("GET", f"bookings/{booking_id}/", expect=expect)

    def assign(self, booking_id: str, worker_id: str, expect: int = 200) -> Json:
        return self.call("POST", f"bookings/{booking_id}/assign/", {"worker_id": worker_id}, expect=expect)

    def status(self, booking_id: str, status: str, *, expect: int = 200, **fields: Json) -> Json:
        return self.call("PATCH", f"bookings/{booking_id}/status/", {"status": status, **fields}, expect=expect)

    def events(self, booking_id: str, since: int | str | None = None, expect: int = 200) -> Json:
        query = "" if since is None else f"?since={since}"
        return self.call("GET", f"bookings/{booking_id}/events/{query}", expect=expect)

    # ── positions and notifications ─────────────────────────────────────────────────────────────────────────
    def track(self, booking_id: str, lat: Json, lng: Json, *, timestamp: Json = None, expect: int = 200) -> Json:
        body = {"lat": lat, "lng": lng} | ({} if timestamp is None else {"timestamp": timestamp})
        return self.call("POST", f"tracking/{booking_id}/", body, expect=expect)

    def location(self, booking_id: str, expect: int = 200) -> Json:
        return self.call("GET", f"tracking/{booking_id}/", expect=expect)

    def notifications(self, expect: int = 200) -> Json:
        return self.call("GET", "notifications/", expect=expect)

    def mark_read(self, notification_id: str, expect: int = 200) -> Json:
        return self.call("PATCH", f"notifications/{notification_id}/mark_read/", {}, expect=expect)

    def mark_all_read(self, expect: int = 200) -> Json:
        return self.call("PATCH", "notifications/mark_all_read/", {}, expect=expect)

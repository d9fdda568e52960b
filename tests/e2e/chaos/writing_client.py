"""Clients of REST that repeat a write until it is acknowledged, and note what was acknowledged."""

from __future__ import annotations

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
from hunarmitra_realtime import Point, Progress, Session, SharingEndedError, send_locations

from tests.e2e.chaos.verdict import SIGNED_IN, UNANSWERED

TEMPORARY: Final = frozenset({401, 408, 429})
PATIENCE: Final = 15.0
"""Seconds until a request without an answer counts as failed."""


class RefusedError(Exception):
    """REST called a correct request wrong."""


@dataclass
class Ledger:
    """What all writers of a process were told."""

    acknowledged: list[dict[str, Any]] = field(default_factory=list)
    answers: Counter[str] = field(default_factory=Counter)
    refused: list[str] = field(default_factory=list)
    locations: int = 0


@dataclass(frozen=True)
class Account:
    """A user of the test, as `seed` made it."""

    id: str
    username: str
    password: str
    access: str
    refresh: str


class CountedSession(Session):
    """The published session; counts refreshes without an answer, after which the server may end the session."""

    ledger: Ledger

    async def _renew(self) -> bool:
        answered = False
        try:
            renewed = await super()._renew()
            answered = True
            return renewed
        finally:
            self.ledger.answers[UNANSWERED] += not answered


class WritingClient:
    """One signed-in user who writes."""

    def __init__(self, url: str, account: Account, http: httpx.AsyncClient, ledger: Ledger) -> None:
        self.id = account.id
        self._session = CountedSession(url, access=account.access, refresh=account.refresh, client=http)
        self._session.ledger = ledger
        self._account, self._http, self._ledger = account, http, ledger
        self._base = f"{url}/api/v1/"
        self._signing_in = asyncio.Lock()

    async def token(self, refresh: bool) -> str | None:
        """Return the access token. Sign in again when the session has ended, as the user would."""
        found = await self._session.token(refresh)
        if found is not None:
            return found
        async with self._signing_in:
            if await self._session.token(False) is None:
                await self._session.sign_in(self._account.username, self._account.password)
                self._ledger.answers[SIGNED_IN] += 1
        return await self._session.token(False)

    async def write(self, method: str, path: str, body: dict[str, Any], *, key: str = "") -> dict[str, Any]:
        """Repeat a request until it is acknowledged; return the booking in the answer.

        That is safe: a change to the status that the booking has already changes nothing, and a creation has an
        Idempotency-Key. Raises RefusedError.
        """
        failures = 0
        while True:
            answer = await self._once(method, path, body, key)
            outcome = answer if isinstance(answer, str) else str(answer.status_code)
            self._ledger.answers[outcome] += 1
            if isinstance(answer, httpx.Response):
                if answer.is_success:
                    found: dict[str, Any] = answer.json()
                    self._ledger.acknowledged.append(
                        {"booking": found["id"], "status": found["status"], "seq": found["seq"]}
                    )
                    return found
                if answer.status_code < 500 and answer.status_code not in TEMPORARY:
                    said = f"{answer.status_code} {method} {path} {body}: {answer.text[:300]}"
                    self._ledger.refused.append(said)
                    raise RefusedError(said)
                if answer.status_code == 401:
                    await self._renew()
            failures += 1
            await asyncio.sleep(random.uniform(0.1, min(5, 0.5 * 2**failures)))

    async def _once(self, method: str, path: str, body: dict[str, Any], key: str) -> httpx.Response | str:
        """Return the answer, or why there is none."""
        headers = {"Authorization": f"Bearer {await self._session.token(False)}"}
        if key:
            headers["Idempotency-Key"] = key
        try:
            return await self._http.request(method, self._base + path, json=body, headers=headers, timeout=PATIENCE)
        except httpx.HTTPError as error:
            return type(error).__name__

    async def _renew(self) -> None:
        try:
            await self.token(True)
        except httpx.HTTPError as error:
            self._ledger.answers[f"renewal: {type(error).__name__}"] += 1

    async def drive(self, booking: str, points: list[Point]) -> None:
        """Send the locations of a track with the published client, until its last one is accepted.

        The published client stops when the session has ended. The worker then signs in again and drives on.
        """

        def note(progress: Progress) -> None:
            self._ledger.locations += not progress.problem

        begun = time.monotonic()
        while True:
            passed = time.monotonic() - begun
            rest = [Point(point.lat, point.lng, point.seconds - passed) for point in points]
            try:
                await send_locations(self._session, booking, rest, report=note)
                return
            except SharingEndedError as error:
                if await self._session.token(False) is not None:
                    self._ledger.refused.append(f"{error.code}: {error} (a location of {booking})")
                    return
            await self._renew()
            await asyncio.sleep(random.uniform(0.1, 1))

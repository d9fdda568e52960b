"""A signed-in user over REST: tokens that are renewed, and requests that are repeated."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import urlsplit

import httpx

TIMEOUT_SECONDS: Final = 10.0
RETRIES: Final = 5
"""Repetitions of a request without an answer, after 1, 2, 4, 8 and 16 seconds."""

_BUSY: Final = 429
_AWAY: Final = frozenset({502, 503, 504})


class RequestError(httpx.HTTPStatusError):
    """The server rejected a request. The text is the server's `detail`; `code` is its error code, empty if it sent none."""

    def __init__(self, answer: httpx.Response, message: str = "") -> None:
        body = json_object(answer)
        detail = message or body.get("detail") or answer.reason_phrase or f"HTTP {answer.status_code}"
        super().__init__(str(detail), request=answer.request, response=answer)
        self.status = answer.status_code
        self.code = str(body.get("code", ""))


class Session:
    """The tokens of one user. Pass `session.token` to streams; they share its renewals."""

    def __init__(
        self,
        url: str,
        *,
        access: str = "",
        refresh: str = "",
        client: httpx.AsyncClient | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        # A proxy of the environment cannot reach this machine's own loopback address.
        self._http = client or httpx.AsyncClient(timeout=TIMEOUT_SECONDS, trust_env=not is_loopback(url))
        self._url = url.rstrip("/")
        self._base = f"{self._url}/api/v1/"
        self._access, self._refresh = access, refresh
        self._login: tuple[str, str] | None = None
        self._renewing = asyncio.Lock()
        self._sleep = sleep

    async def sign_in(self, username: str, password: str, *, keep: bool = False) -> None:
        """Get tokens. With `keep`, the password stays in memory and signs in again when the server has ended the session.

        Raises RequestError (`status` 401: wrong user or password) or another httpx.HTTPError.
        """
        self._take(await self._send("POST", "auth/token/", {"username": username, "password": password}))
        self._login = (username, password) if keep else None

    async def token(self, refresh: bool) -> str | None:
        """Return the access token, a new one if `refresh`; None when the session has ended."""
        before = self._access
        if refresh:
            async with self._renewing:
                # Refresh tokens rotate: a concurrent call may have used this one.
                if self._access == before and not await self._renew():
                    return None
        return self._access or None

    async def call(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """Return the JSON of the answer, or None without one.

        Repeats the request after 429, as soon as the server allows, and up to five times without an answer: use it for
        requests that may be repeated, such as a change to a status. Raises RequestError or another httpx.HTTPError.
        """
        failures = 0
        while True:
            try:
                answer = await self._authorized(method, path, body)
            except httpx.TransportError:
                if failures == RETRIES:
                    raise
            else:
                if answer.is_success:
                    return answer.json() if answer.content else None
                if answer.status_code == _BUSY:
                    await self._sleep(retry_after(answer) or 1.0)
                    continue
                if answer.status_code not in _AWAY or failures == RETRIES:
                    raise RequestError(answer)
            await self._sleep(2.0**failures)
            failures += 1

    async def get(self, path: str) -> Any:
        """Return the JSON of a REST resource. Renews the token once after HTTP 401.

        Raises RequestError or another httpx.HTTPError.
        """
        answer = await self._authorized("GET", path)
        if not answer.is_success:
            raise RequestError(answer)
        return answer.json()

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Return the answer, also of a rejection. Renews the token once after HTTP 401."""
        return await self._authorized("POST", path, body)

    async def _authorized(self, method: str, path: str, body: dict[str, Any] | None = None) -> httpx.Response:
        answer = await self._send(method, path, body, token=self._access)
        if answer.status_code != 401 or not (self._refresh or self._login):
            return answer
        try:
            renewed = await self.token(True)
        except httpx.HTTPStatusError as outage:
            return outage.response  # the session has not ended; 401 would say so
        return answer if renewed is None else await self._send(method, path, body, token=renewed)

    async def _renew(self) -> bool:
        """Return whether there are new tokens. Raises httpx.HTTPError when the server cannot say."""
        if self._refresh:
            answer = await self._send("POST", "auth/refresh/", {"refresh": self._refresh})
            if answer.status_code != 401:
                self._take(answer)
                return True
            self._access = self._refresh = ""
        if self._login is None:
            return False
        try:
            await self.sign_in(*self._login, keep=True)
        except RequestError as error:
            if error.status != 401:
                raise
            self._login = None
            return False
        return True

    def _take(self, answer: httpx.Response) -> None:
        if not answer.is_success:
            raise RequestError(answer)
        tokens = json_object(answer)
        if not ("access" in tokens and "refresh" in tokens):
            raise RequestError(answer, f"{self._url} answers, but not as HunarMitra does.")
        self._access, self._refresh = tokens["access"], tokens["refresh"]

    async def _send(
        self, method: str, path: str, body: dict[str, Any] | None = None, *, token: str = ""
    ) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        return await self._http.request(method, self._base + path, json=body, headers=headers)

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def is_loopback(url: str) -> bool:
    """Return whether the URL's host is this machine."""
    try:
        host = urlsplit(url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def json_object(answer: httpx.Response) -> dict[str, Any]:
    """Return the JSON object of an answer; an empty one if there is none, as in the answer of a proxy."""
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}


def retry_after(answer: httpx.Response) -> float:
    """Return the seconds that the server asks to wait, 0 if it does not."""
    text = answer.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0

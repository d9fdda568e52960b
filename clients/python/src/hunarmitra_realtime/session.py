"""A signed-in user over REST: tokens that are renewed."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Any, Self

import httpx


class Session:
    """The tokens of one user. Pass `session.token` to streams; they share its renewals."""

    def __init__(
        self, url: str, *, access: str = "", refresh: str = "", client: httpx.AsyncClient | None = None
    ) -> None:
        self._http = client or httpx.AsyncClient()
        self._base = f"{url.rstrip('/')}/api/v1/"
        self._access, self._refresh = access, refresh
        self._renewing = asyncio.Lock()

    async def sign_in(self, username: str, password: str) -> None:
        self._take(await self._send("POST", "auth/token/", {"username": username, "password": password}))

    async def token(self, refresh: bool) -> str | None:
        """Return the access token, a new one if `refresh`; None when the session has ended."""
        before = self._access
        if refresh:
            async with self._renewing:
                # Refresh tokens rotate: a concurrent call may have used this one.
                if self._access == before and not await self._renew():
                    return None
        return self._access or None

    async def get(self, path: str) -> Any:
        """Return the JSON of a REST resource. Renews the token once after HTTP 401."""
        try:
            return await self._send("GET", path)
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 401 or await self.token(True) is None:
                raise
            return await self._send("GET", path)

    async def post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        """Return the answer, also of a rejection. Renews the token once after HTTP 401."""
        answer = await self._post(path, body)
        if answer.status_code != 401 or not self._refresh:
            return answer
        try:
            renewed = await self.token(True)
        except httpx.HTTPStatusError as outage:
            return outage.response  # the session has not ended; 401 would say so
        return answer if renewed is None else await self._post(path, body)

    async def _post(self, path: str, body: dict[str, Any]) -> httpx.Response:
        return await self._http.post(self._base + path, json=body, headers={"Authorization": f"Bearer {self._access}"})

    async def _renew(self) -> bool:
        if not self._refresh:
            return False
        try:
            self._take(await self._send("POST", "auth/refresh/", {"refresh": self._refresh}))
        except httpx.HTTPStatusError as error:
            if error.response.status_code != 401:
                raise
            self._access = self._refresh = ""
            return False
        return True

    def _take(self, tokens: dict[str, str]) -> None:
        self._access, self._refresh = tokens["access"], tokens["refresh"]

    async def _send(self, method: str, path: str, body: dict[str, str] | None = None) -> Any:
        headers = {"Authorization": f"Bearer {self._access}"} if self._access and body is None else {}
        answer = await self._http.request(method, self._base + path, json=body, headers=headers)
        answer.raise_for_status()
        return answer.json()

    async def aclose(self) -> None:
        await self._http.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

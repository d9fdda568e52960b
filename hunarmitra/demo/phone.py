"""The worker's phone: a REST client that stays signed in and keeps to the rate limit."""

from __future__ import annotations

import ipaddress
import time
from typing import Any, Self
from urllib.parse import urlsplit

import httpx

RETRIES = 5
TIMEOUT_SECONDS = 10.0


class PhoneError(Exception):
    """What went wrong, as a sentence for the person at the terminal."""


class RefusedError(PhoneError):
    """The server answered with an error; ``code`` is the API's."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(f"The server answered {status}: {detail}")
        self.status = status
        self.code = code


class Phone:
    """Signed in as one user. Each call returns the answer's JSON, or raises :class:`PhoneError`."""

    def __init__(self, base_url: str, username: str, password: str) -> None:
        self._base_url = base_url.rstrip("/")
        self._username, self._password = username, password
        self._access = self._refresh = ""
        # A proxy from the environment cannot reach this machine's own loopback address.
        self._http = httpx.Client(
            base_url=f"{self._base_url}/api/v1/",
            timeout=TIMEOUT_SECONDS,
            trust_env=not _is_loopback(base_url),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._http.close()

    def sign_in(self) -> None:
        response = self._attempt("POST", "auth/token/", {"username": self._username, "password": self._password})
        if response.status_code == 401:
            raise PhoneError(f"The server does not know {self._username!r} with this password.")
        self._keep(_answer(response))

    def get(self, path: str) -> Any:
        return self._call("GET", path, None)

    def patch(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("PATCH", path, body)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return self._call("POST", path, body)

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> Any:
        response = self._persist(method, path, body)
        if response.status_code == 401:
            self._renew()
            response = self._persist(method, path, body)
        return _answer(response)

    def _persist(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        """Wait as long as a 429 asks, and a little for a server that is away: any call may be repeated."""
        failures = 0
        while True:
            try:
                response = self._attempt(method, path, body)
            except PhoneError:
                failures += 1
                if failures > RETRIES:
                    raise
                time.sleep(2 ** (failures - 1))
                continue
            if response.status_code != 429:
                return response
            time.sleep(_retry_after(response))

    def _attempt(self, method: str, path: str, body: dict[str, Any] | None) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self._access}"} if self._access else {}
        try:
            return self._http.request(method, path, json=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise PhoneError(
                f"No answer from {self._base_url} ({type(error).__name__}): is the server running there?"
            ) from None

    def _renew(self) -> None:
        """Rotate the refresh token; if it is rejected too (signed out elsewhere), sign in again."""
        refresh, self._access, self._refresh = self._refresh, "", ""
        response = self._persist("POST", "auth/refresh/", {"refresh": refresh})
        if response.status_code == 200:
            self._keep(_answer(response))
        else:
            self.sign_in()

    def _keep(self, tokens: Any) -> None:
        try:
            self._access, self._refresh = tokens["access"], tokens["refresh"]
        except (TypeError, KeyError):
            raise PhoneError(f"{self._base_url} answers, but not as HunarMitra does.") from None


def _answer(response: httpx.Response) -> Any:
    try:
        body = response.json() if response.content else None
    except ValueError:
        body = None
    if response.is_success:
        return body
    problem = body if isinstance(body, dict) else {}
    raise RefusedError(
        response.status_code, str(problem.get("code", "")), str(problem.get("detail", response.reason_phrase))
    )


def _retry_after(response: httpx.Response) -> float:
    try:
        return max(0.1, float(response.headers["Retry-After"]))
    except (KeyError, ValueError):
        return 1.0


def _is_loopback(base_url: str) -> bool:
    try:
        host = urlsplit(base_url).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Accept locations in front of Django: most requests of the system are ``POST tracking/{booking_id}/``.

Such a request passes sixteen middlewares and REST framework to reach one statement, which costs several times the
statement. So the plain case (one JSON object with a valid token, from an app and not from a page of another origin) is
answered here, with the same headers, metrics and log lines. What it does not accept goes to Django with its body unread
or put back: Django's view knows the exact error. A test compares the two. Why it is a WSGI wrapper:
docs/adr/0021-locations-in-front-of-django.md.
"""

from __future__ import annotations

import io
import json
import logging
import math
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, NamedTuple
from uuid import UUID

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection
from django.http.request import split_domain_port, validate_host
from rest_framework_simplejwt.exceptions import TokenError

from hunarmitra.accounts.access_tokens import read_access_token
from hunarmitra.accounts.tokens import Identity
from hunarmitra.common import response_headers
from hunarmitra.common.addresses import forwarded_scheme, is_trusted
from hunarmitra.common.clock import utc_now
from hunarmitra.database.connections import renew_kept_connection
from hunarmitra.database.troubles import describe, is_unavailable
from hunarmitra.telemetry import request_id
from hunarmitra.telemetry.requests import request_in_front
from hunarmitra.tracking.answers import accepted_answer
from hunarmitra.tracking.locations import AcceptedLocation, Reading
from hunarmitra.tracking.readings import reading_from
from hunarmitra.tracking.services import location_accept
from hunarmitra_http import failures, metrics
from hunarmitra_http.errors import UNAVAILABLE, UNAVAILABLE_RETRY_SECONDS

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

PREFIX: Final = "/api/v1/tracking/"
_PATH: Final = re.compile(r"/api/v1/tracking/([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})/")
_ROUTE: Final = "/api/v1/tracking/<id:booking_id>/"
_BEARER: Final = "Bearer "
MOST_BYTES: Final = 4096
"""The most bytes of a body that is read here: more than one location needs. Django handles longer bodies."""

MOST_HOSTS: Final = 100
MOST_PEERS: Final = 1000

_HEADERS: Final = (
    ("Content-Type", "application/json"),
    ("Allow", "GET, POST, HEAD"),
    ("vary", "origin"),
    *response_headers.DATA,
)
"""The headers that Django would send, over HTTP."""


class _Answer(NamedTuple):
    status: str
    body: Mapping[str, Any]
    headers: tuple[tuple[str, str], ...] = ()


class LocationPosts:
    """A WSGI application around Django's."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._hosts: set[str] = set()
        environment = settings.ENVIRONMENT
        # A thread keeps its connection for the next location, unless others would wait for it in vain.
        self._keeps_connections = environment.web_threads <= environment.database_pool_max
        self._proxies = environment.trusted_proxies
        self._peers: dict[str, bool] = {}
        self._over_https = (*_HEADERS, *response_headers.configured_transport_security())

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] == "POST" and environ["PATH_INFO"].startswith(PREFIX):
            with request_in_front("POST", _ROUTE) as count:
                try:
                    answer = self._answer(environ)
                except _UnavailableError:
                    count("503")
                    metrics.database_unavailable()
                    retry = ("Retry-After", str(UNAVAILABLE_RETRY_SECONDS))
                    answer = _Answer("503 Service Unavailable", UNAVAILABLE, (retry,))
                    return self._respond(environ, start_response, answer)
                if answer is not None:
                    count(answer.status[:3])
                    return self._respond(environ, start_response, answer)
        return self._application(environ, start_response)

    def _answer(self, environ: Environ) -> _Answer | None:
        """Return the answer to a location that is accepted, or rejected again; None if Django answers.

        Raises :class:`_UnavailableError`.
        """
        path = _PATH.fullmatch(environ["PATH_INFO"])
        identity = _identity(environ)
        if path is None or identity is None or not self._is_plain(environ):
            return None
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        environ["wsgi.input"] = io.BytesIO(body)
        reading = reading_of(body)
        if reading is None:
            return None
        booking_id = UUID(path[1])
        if wait := _wait_of_failures(identity, booking_id):
            return _too_many(wait)
        accepted = _accept(booking_id, identity, reading)
        if not self._keeps_connections:
            connection.close()
        return None if accepted is None else _Answer("200 OK", accepted_answer(booking_id, accepted))

    def _is_plain(self, environ: Environ) -> bool:
        if environ.get("CONTENT_TYPE") != "application/json" or not _is_short(environ.get("CONTENT_LENGTH", "")):
            return False
        if "HTTP_ORIGIN" in environ or "HTTP_CONTENT_ENCODING" in environ or "HTTP_TRANSFER_ENCODING" in environ:
            return False
        return self._is_allowed(environ.get("HTTP_HOST", ""))

    def _is_allowed(self, host: str) -> bool:
        """As Django judges ``Host``; the few that are used are remembered."""
        if host in self._hosts:
            return True
        allowed = settings.ALLOWED_HOSTS or ([".localhost", "127.0.0.1", "[::1]"] if settings.DEBUG else [])
        domain = split_domain_port(host)[0]
        if not validate_host(domain, allowed) or validate_host(domain, settings.ENVIRONMENT.admin_hosts):
            return False
        if len(self._hosts) < MOST_HOSTS:
            self._hosts.add(host)
        return True

    def _respond(self, environ: Environ, start_response: StartResponse, answer: _Answer) -> Iterable[bytes]:
        body = json.dumps(answer.body).encode()
        identifier = request_id.accept(environ.get("HTTP_X_REQUEST_ID"))
        environ[request_id.ENVIRON_REQUEST_ID] = identifier  # for the access log
        own = (*answer.headers, ("Content-Length", str(len(body))), (request_id.HEADER, identifier))
        start_response(answer.status, [*(self._over_https if self._is_secure(environ) else _HEADERS), *own])
        return [body]

    def _is_secure(self, environ: Environ) -> bool:
        """As TrustedProxyMiddleware and Django judge it."""
        scheme: str | None = None
        if self._proxies and self._is_proxy(environ.get("REMOTE_ADDR", "")):
            scheme = environ.get("HTTP_X_FORWARDED_PROTO", "")
            if scheme != "https":
                scheme = forwarded_scheme(scheme, environ.get("HTTP_FORWARDED", ""))
        return (scheme or environ["wsgi.url_scheme"]) == "https"

    def _is_proxy(self, peer: str) -> bool:
        """Whether the peer is a trusted proxy; the first few peers are remembered."""
        trusted = self._peers.get(peer)
        if trusted is None:
            trusted = is_trusted(peer, self._proxies)
            if len(self._peers) < MOST_PEERS:
                self._peers[peer] = trusted
        return trusted


def in_front_of(application: Application) -> Application:
    """Return the application with locations in front of it, unless requests are traced or probes need the port."""
    return application if settings.ENVIRONMENT.traces else LocationPosts(application)


def reading_of(body: bytes) -> Reading | None:
    """Return the location of a body that Django's view would accept; None for anything that it might not."""
    try:
        data = json.loads(body.decode())
        if isinstance(data, dict):
            return reading_from(data, now=utc_now(), max_future=settings.ENVIRONMENT.tracking_max_future)
    except (ValueError, RecursionError):
        pass
    return None


def _is_short(length: str) -> bool:
    return length.isascii() and length.isdigit() and 0 < int(length) <= MOST_BYTES


def _identity(environ: Environ) -> Identity | None:
    header: str = environ.get("HTTP_AUTHORIZATION", "")
    if not header.startswith(_BEARER):
        return None
    try:
        return read_access_token(header.removeprefix(_BEARER))
    except TokenError:
        return None


class _UnavailableError(Exception):
    """The database is unavailable, also for a new connection."""


def _accept(booking_id: UUID, identity: Identity, reading: Reading) -> AcceptedLocation | None:
    """Return None also when a connection that was kept is lost: Django asks again, with a new one.

    Raises :class:`_UnavailableError`.
    """
    renew_kept_connection()
    kept = connection.connection is not None
    try:
        return location_accept(booking_id=booking_id, identity=identity, reading=reading)
    except DatabaseError as error:
        connection.close()
        if not is_unavailable(error):
            logger.exception("a location was not stored; Django tries again")
            return None
        logger.warning("a location was not stored, the database is unavailable: %s", describe(error))
        if kept:
            return None
        raise _UnavailableError from error


def _wait_of_failures(identity: Identity, booking_id: UUID) -> float:
    """Return the seconds for which this post is rejected without a query, because it failed above the limit."""
    known = failures.rejections()
    return known.wait(failures.ended_session(identity)) or known.wait(failures.invisible_booking(identity, booking_id))


def _too_many(wait: float) -> _Answer:
    metrics.rate_limited("failures")
    headers = (("Retry-After", str(max(1, math.ceil(wait)))),)
    return _Answer("429 Too Many Requests", {"detail": failures.DETAIL, "code": "throttled"}, headers)

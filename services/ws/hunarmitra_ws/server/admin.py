"""Internal ports: one for probes and metrics, one for control. Neither is the public port.

The control port (drain, rebalance, counts) requires a bearer token from a mounted file, compared in constant time.
Without such a file it listens on loopback only. Each call is logged.
"""

from __future__ import annotations

import hmac
import json
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from django.http.request import split_domain_port
from twisted.internet import reactor as twisted_reactor
from twisted.web.resource import Resource
from twisted.web.server import Request, Site

from hunarmitra.database.state import state
from hunarmitra.telemetry.exposition import exposition
from hunarmitra_ws.metrics import metrics
from hunarmitra_ws.server.twisted_adapter import BoundedBody

if TYPE_CHECKING:
    from hunarmitra_ws.server.server import Server

logger = logging.getLogger(__name__)
reactor: Any = twisted_reactor

Answer = tuple[int, Any]
"""HTTP status and body. A handler that returns bytes sets the content type itself; any other body is sent as JSON."""

Handler = Callable[[Request], Answer]

MOST_BYTES: Final = 4096
BODY_SECONDS: Final = 10.0
"""In which a body must arrive. It has a few bytes."""
LONGEST_NAME: Final = 200
LONGEST_LEASE: Final = 3600.0

LOCAL_HOSTS: Final = frozenset({"localhost", "127.0.0.1", "[::1]"})

LIVE_WITHOUT_TASK: Final = 60.0
"""Seconds for which a failing background task is tolerated before the process should be restarted."""


class _BadRequestError(Exception):
    pass


def start_admin_ports(server: Server) -> None:
    """Listen on both ports; port 0 disables one. If an address cannot be used, log the reason and stop the server."""
    options = server.options
    host = options.control_host if options.control_token_file else "127.0.0.1"
    for port, bind, make in (
        (options.admin_port, options.admin_host, _probes),
        (options.control_port, host, _control),
    ):
        if not port:
            continue
        try:
            reactor.listenTCP(port, Site(make(server), requestFactory=_InternalRequest), interface=bind)
        except OSError as error:
            logger.critical("cannot listen on %s:%d: %s; stopping", bind, port, error)
            server.stop()


class _InternalRequest(BoundedBody, Request):
    """A request of an internal port. A body over the limit is not kept, and much more than that is not received."""

    most_bytes = MOST_BYTES
    most_dropped = 65536
    body_timeout = BODY_SECONDS


class _Page(Resource):
    """A resource with one function per method; ``GET`` answers ``HEAD`` too."""

    isLeaf = True  # noqa: N815 - Twisted's name

    def __init__(self, **methods: Handler) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._methods = methods

    def render(self, request: Request) -> bytes:
        method = request.method.decode("latin-1")
        handler = self._methods.get("GET" if method == "HEAD" else method)
        if handler is None:
            request.setHeader("Allow", ", ".join(sorted(self._methods)))
            answer: Answer = 405, {"detail": f"{method} is not supported here.", "code": "method_not_allowed"}
        else:
            try:
                answer = handler(request)
            except _BadRequestError as error:
                answer = 400, {"detail": str(error), "code": "invalid"}
        status, body = answer
        request.setResponseCode(status)
        if isinstance(body, bytes):
            return body
        request.setHeader("Content-Type", "application/json")
        return json.dumps(body).encode()


def _tree(pages: dict[str, Resource]) -> Resource:
    root = Resource()
    for name, page in pages.items():
        root.putChild(name.encode(), page)  # type: ignore[arg-type]
    return root


def _metrics(request: Request) -> Answer:
    body, content_type = exposition(request.getHeader("accept") or "")
    request.setHeader("Content-Type", content_type)
    return 200, body


def readiness(server: Server) -> Answer:
    """503 before the start is complete, during a drain, and while a background task cannot be kept running.

    A lost database shows in the body only: all processes would lose their open connections at once.
    """
    failing = server.failing_tasks()
    body = {
        "ready": server.started and not server.drain.requested and not failing,
        "started": server.started,
        "drain": server.drain.state,
        "connections": len(server.open_connections),
        "full": server.counted_connections >= server.options.max_connections,
        "failing_tasks": sorted(failing),
        "database": state.meaning() or "ok",
    }
    return (200 if body["ready"] else 503), body


def liveness(server: Server) -> Answer:
    """503 once a background task could not be kept running for :data:`LIVE_WITHOUT_TASK` seconds."""
    lost = sorted(name for name, seconds in server.failing_tasks().items() if seconds >= LIVE_WITHOUT_TASK)
    return (503 if lost else 200), {"live": not lost, "failing_tasks": lost}


def _probes(server: Server) -> Resource:
    return _tree(
        {
            "livez": _Page(GET=lambda _: liveness(server)),
            "readyz": _Page(GET=lambda _: readiness(server)),
            "metrics": _Page(GET=_metrics),
        }
    )


class _Control:
    """Handlers of the control port; each returns a status and a body."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def connections(self, _: Request) -> Answer:
        server = self._server
        counts = server.counts()
        return 200, {
            "total": sum(counts.values()),
            "kinds": dict(counts),
            "sheddable": len(_rebalanceable(server)),
            "capacity": server.options.max_connections,
            "started": server.started,
            "drain": _drain_status(server),
            "metrics": metrics.recent_load.report(server.loop.time()),
        }

    def start_drain(self, request: Request) -> Answer:
        body = _json(request)
        lease, ttl = body.get("id"), body.get("ttl_seconds")
        if not isinstance(lease, str) or not 0 < len(lease) <= LONGEST_NAME:
            raise _BadRequestError(f"id must be a string of 1 to {LONGEST_NAME} characters.")
        if isinstance(ttl, bool) or not isinstance(ttl, int | float) or not 0 < ttl <= LONGEST_LEASE:
            raise _BadRequestError(f"ttl_seconds must be a number above 0 and at most {LONGEST_LEASE:g}.")
        self._server.drain.lease(lease, float(ttl))
        return 202, _drain_status(self._server)

    def end_drain(self, request: Request) -> Answer:
        """End the lease named by ``?id=``, or every lease without it."""
        values = request.args.get(b"id") if request.args else None
        name = values[0].decode("utf-8", "replace") if values else None
        if not self._server.drain.release(name):
            return 404, {"detail": "There is no such drain lease.", "code": "not_found"}
        return 200, _drain_status(self._server)

    def rebalance(self, request: Request) -> Answer:
        count = _json(request).get("connections")
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise _BadRequestError("connections must be a whole number, 0 or more.")
        if self._server.drain.requested:
            return 409, {"detail": "This process drains already.", "code": "draining"}
        return 200, {"moved": self._server.drain.rebalance(count, _rebalanceable(self._server))}

    def guarded(self, handler: Handler) -> Handler:
        def call(request: Request) -> Answer:
            if not self._server.options.control_token_file and not _is_local_program(request):
                return 403, {
                    "detail": "Without WS_CONTROL_TOKEN_FILE this port serves programs of this machine only: "
                    "no web page, and no Host but localhost, 127.0.0.1 and [::1].",
                    "code": "forbidden",
                }
            if not _is_authorized(self._server, request):
                request.setHeader("WWW-Authenticate", "Bearer")
                return 401, {"detail": "A bearer token of this port is required.", "code": "unauthenticated"}
            status, body = handler(request)
            level = logging.DEBUG if request.method in {b"GET", b"HEAD"} else logging.INFO
            logger.log(level, "control: %s %s %d", request.method.decode(), request.path.decode("latin-1"), status)
            return status, body

        return call


def _control(server: Server) -> Resource:
    control = _Control(server)
    return _tree(
        {
            "connections": _Page(GET=control.guarded(control.connections)),
            "drain": _Page(POST=control.guarded(control.start_drain), DELETE=control.guarded(control.end_drain)),
            "shed": _Page(POST=control.guarded(control.rebalance)),
        }
    )


def _drain_status(server: Server) -> dict[str, Any]:
    drain = server.drain
    return {"state": drain.state, "moved": drain.moved, "leases": dict(drain.leases)}


def _rebalanceable(server: Server) -> list[Any]:
    """Return live connections of at least ``shed_min_age``, so that no client is moved twice in a short time."""
    oldest = server.loop.time() - server.options.shed_min_age
    return [
        connection
        for connection in server.open_connections
        if connection.kind and connection.joined_at <= oldest and not connection.moved
    ]


def _is_local_program(request: Request) -> bool:
    """Whether a request is not one that a web page made, directly or through a DNS name that leads to this machine."""
    if request.getHeader("origin") is not None or request.getHeader("sec-fetch-site") is not None:
        return False
    return split_domain_port(request.getHeader("host") or "")[0] in LOCAL_HOSTS


def _is_authorized(server: Server, request: Request) -> bool:
    if not server.options.control_token_file:
        return True
    try:
        tokens = server.options.tokens()
    except OSError as error:
        logger.error(
            "cannot read the control tokens: %s; the request is rejected, check WS_CONTROL_TOKEN_FILE", error.strerror
        )
        return False
    header = request.getHeader("authorization") or ""
    given = header.removeprefix("Bearer ").encode()
    # Every token is compared, so that the response time does not depend on which one matches.
    matches = [hmac.compare_digest(given, token.encode()) for token in tokens]
    return any(matches)


def _json(request: Request) -> dict[str, Any]:
    content = request.content.read(MOST_BYTES + 1) if request.content else b""
    if len(content) > MOST_BYTES:
        raise _BadRequestError("The body is too large.")
    try:
        body = json.loads(content)
    except (ValueError, RecursionError):
        raise _BadRequestError("The body is not JSON.") from None
    if not isinstance(body, dict):
        raise _BadRequestError("The body must be a JSON object.")
    return body

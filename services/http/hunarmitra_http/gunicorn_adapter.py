"""Adapter for gunicorn: a worker whose threads never wait for a client, and whose probes have threads of their own.

gunicorn's ``gthread`` reads the request and writes the response in a thread of the pool, so as many slow clients as
there are threads stop a process, its probes included. Here :mod:`hunarmitra_http.server.reception` does both for all
clients. gunicorn's parser, its response, its log and its signals stay as they are.
"""

from __future__ import annotations

import errno
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from gunicorn import http
from gunicorn.http.errors import NoMoreData
from gunicorn.workers.gthread import ThreadWorker

from hunarmitra.common import probes
from hunarmitra.common.private_names import Library, names_of
from hunarmitra.config.environment import Environment
from hunarmitra.config.reading import process_environment
from hunarmitra_http.server.admin_port import AdminPort
from hunarmitra_http.server.connection import Connection
from hunarmitra_http.server.limits import Limits
from hunarmitra_http.server.reception import Reception

if TYPE_CHECKING:
    from hunarmitra_http.server.slow_clients import SlowClients

_WORKER: Final = "gunicorn.workers.gthread:ThreadWorker"
_BASE: Final = "gunicorn.workers.base:Worker"

LIBRARY: Final = Library(
    "gunicorn",
    "27.0.1",
    (
        *names_of(
            _WORKER,
            {
                "tpool": "the threads for requests, which gunicorn makes and ends",
                "get_thread_pool()": "makes them",
                "run()": "replaced by a loop that receives and sends for all clients",
                "handle_request(req, conn)": "calls the application, and writes its response to conn.sock",
                "handle_exit(sig, frame)": "SIGTERM: also ends the wait of our loop",
            },
        ),
        *names_of(
            _BASE,
            {
                "sockets": "the listening sockets, those of the admin port among them",
                "alive": "False when the process should stop",
                "notify()": "tells the arbiter that the loop runs",
                "handle_error(req, client, addr, exc)": "writes an error page for a request that cannot be parsed",
            },
        ),
        *names_of(_WORKER, {"is_parent_alive()": "whether the arbiter still runs"}),
        *names_of("gunicorn.http", {"get_parser(cfg, source, source_addr, http2_connection)": "parses received bytes"}),
        *names_of("gunicorn.http.errors", {"NoMoreData(buf)": "the parser got fewer bytes than a request has"}),
        *names_of(
            "gunicorn.http.parser:Parser",
            {
                "unreader": "has what the client sent after the request",
                "finish_body(deadline, max_bytes)": "drops what the application has not read of the body",
            },
        ),
        *names_of("gunicorn.http.unreader:Unreader", {"take_buffered()": "what the client sent after the request"}),
        *names_of(
            "gunicorn.http.message:Message",
            {
                "_expected_100_continue": "gunicorn would send 100 Continue when the body is here already",
            },
        ),
        *names_of(
            "gunicorn.http.wsgi:Response",
            {"can_sendfile()": "sendfile would wait for the client; switched off in gunicorn.conf.py"},
        ),
    ),
)

PROBE_THREADS: Final = 4
"""Threads for probes and metrics: a readiness check waits almost a second for a database that does not answer."""
ADMIN_CONNECTIONS: Final = 64
"""Connections of the admin port of one process: kubelet, Prometheus, and people."""
_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET, errno.ENOTCONN})
_PROBES: Final = tuple(
    f"{method} {path} ".encode() for method in ("GET", "HEAD") for path in (probes.LIVE, probes.READY, probes.METRICS)
)


class HttpWorker(ThreadWorker):
    """gunicorn's threaded worker, which receives and sends for all clients in its main loop."""

    _public: Reception | None = None

    @classmethod
    def check_config(cls, cfg: Any, log: Any) -> None:
        if cfg.is_ssl:
            sys.exit("hunarmitra cannot start: TLS ends at the ingress; start gunicorn without certfile and keyfile.")

    def handle_exit(self, sig: Any, frame: Any) -> None:
        super().handle_exit(sig, frame)
        if self._public is not None:
            self._public.wake()

    def run(self) -> None:
        # Only now: metrics must not exist before the fork, see gunicorn.conf.py.
        from hunarmitra_http.server.slow_clients import SlowClients
        from hunarmitra_http.server.too_large import TooLargeAnswers

        environment = process_environment()
        slow_clients = SlowClients(environment)
        limits = _limits(environment, self.cfg.keepalive)
        probes = ThreadPoolExecutor(PROBE_THREADS, thread_name_prefix="probes")
        admin = [each for each in self.sockets if _is_admin(each, environment.http_admin_port)]

        def serve_public(connection: Connection) -> None:
            is_probe = not admin and connection.incoming.data.startswith(_PROBES)
            self._submit(probes if is_probe else self.tpool, public, connection)

        def serve_admin(connection: Connection) -> None:
            self._submit(probes, inner, connection)

        def reception(sockets: list[Any], limits: Limits, serve: Callable[[Connection], None]) -> Reception:
            too_large = TooLargeAnswers(limits.body_bytes, environment.trusted_proxies, self.log.access)
            return Reception(sockets, limits, serve, slow_clients.cut, too_large)

        self._public = public = reception([each for each in self.sockets if each not in admin], limits, serve_public)
        admin_port: AdminPort | None = None
        if admin:
            limits = replace(limits, connections=ADMIN_CONNECTIONS, body_bytes=0)
            inner = reception(admin, limits, serve_admin)
            admin_port = AdminPort(inner, self._admin_port_failed)
        while self.alive and self.is_parent_alive():
            self._turn(public, slow_clients)
        # Running requests are finished. The arbiter kills the process if that takes too long.
        public.stop()
        deadline = time.monotonic() + self.cfg.graceful_timeout
        while len(public) and time.monotonic() < deadline:
            self._turn(public, slow_clients)
        public.close()
        self.tpool.shutdown(wait=False)
        if admin_port:
            admin_port.end(deadline)

    def _turn(self, public: Reception, slow_clients: SlowClients) -> None:
        self.notify()
        public.run_once()
        slow_clients.show(public.counts, self.cfg.threads)

    def _admin_port_failed(self, error: Exception) -> None:
        text = "The admin port failed; this worker process ends, and the arbiter starts another"
        self.log.error(text, exc_info=error)
        self.alive = False

    def _submit(self, pool: ThreadPoolExecutor, reception: Reception, connection: Connection) -> None:
        try:
            pool.submit(self._serve, reception, connection)
        except RuntimeError:  # the pool has ended, and the process is about to
            reception.finished(connection, False)

    def _serve(self, reception: Reception, connection: Connection) -> None:
        """Make the response of one complete request, in a thread of a pool."""
        keeps = False
        try:
            keeps = self._handle(connection)
            connection.sock.flush()
        except OSError as error:
            keeps = False
            connection.sock.unsent.clear()
            if error.errno not in _GONE:
                self.log.exception("Socket error processing request.")
        finally:
            reception.finished(connection, keeps)

    def _handle(self, connection: Connection) -> bool:
        """Return whether another request may follow on the connection."""
        request = None
        parser = http.get_parser(self.cfg, (connection.incoming.take(),), connection.client)
        try:
            request = next(parser)
            request._expected_100_continue = False
            keeps: bool = self.handle_request(request, connection) and parser.finish_body()
            if keeps:
                connection.incoming.data += parser.unreader.take_buffered()
            return keeps
        except NoMoreData as error:
            self.log.debug("Ignored premature client disconnection. %s", error)
        except StopIteration as error:
            self.log.debug("Closing connection. %s", error)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001 - gunicorn answers every other error, and logs what is not the client's
            self.handle_error(request, connection.sock, connection.client, error)
        return False


def _limits(environment: Environment, keepalive: int) -> Limits:
    return Limits(
        header_timeout=environment.http_header_timeout,
        body_timeout=environment.http_body_timeout,
        send_timeout=environment.http_send_timeout,
        idle_timeout=keepalive,
        connections=environment.http_max_connections,
        header_bytes=environment.http_header_max_bytes,
        body_bytes=environment.request_max_bytes,
        unsent_bytes=environment.http_send_buffer_bytes,
    )


def _is_admin(listener: Any, admin_port: int) -> bool:
    address = listener.getsockname()
    return bool(admin_port) and isinstance(address, tuple) and address[1] == admin_port

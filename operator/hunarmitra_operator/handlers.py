"""kopf's handlers, which start and feed the loop.

Only `on.event` is used. A timer, a daemon or `on.delete` would put a finalizer on the resource; then deleting the
resource or uninstalling the chart would hang while the operator does not run.
"""

from __future__ import annotations

import asyncio
import dataclasses
import logging
import ssl
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import kopf
from aiohttp import web

from hunarmitra_operator import kubernetes, metrics
from hunarmitra_operator.kubernetes import Access, Api
from hunarmitra_operator.leader import RETRY_SECONDS, Election
from hunarmitra_operator.loop import Loop
from hunarmitra_operator.podclient import PodClient
from hunarmitra_operator.web import serve

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Options:
    """Options of the command line, and the objects that were started with them.

    `lease` is the namespace and name of the Lease that replicas compete for; without it this process always decides.
    `stop` ends the process; `lost` says that it ended because another replica leads.
    """

    namespaces: tuple[str, ...]
    token_file: Path | None
    interval: float = 5.0
    api_timeout: float = kubernetes.TIMEOUT_SECONDS
    host: str = "0.0.0.0"  # noqa: S104 - probes and Prometheus come from other hosts
    port: int = 8080
    lease: tuple[str, str] | None = None
    identity: str = ""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False
    election: Election | None = None
    loop: Loop | None = None
    task: asyncio.Task[None] | None = None
    runner: web.AppRunner | None = None
    settings: kopf.OperatorSettings = field(default_factory=kopf.OperatorSettings)


def configure(settings: kopf.OperatorSettings) -> None:
    """Give every request of kopf a deadline, so that a stalled watch is noticed."""
    settings.peering.standalone = True
    settings.scanning.disabled = True  # namespaces and definitions are fixed; scanning needs cluster-wide rights
    settings.posting.enabled = False  # Events are made on change, by the loop
    settings.watching.server_timeout = 120
    settings.watching.client_timeout = 150
    settings.watching.connect_timeout = 10
    settings.networking.request_timeout = 10
    settings.persistence.finalizer = f"{kubernetes.GROUP}/unused"


class Connection(kopf.ConnectionInfo):
    """Connection that accepts the certificate authorities of common clusters.

    Since version 3.13 Python rejects an authority without a key usage extension, which many clusters lack. The server
    is still verified against the cluster's authority, and against no other.
    """

    def as_ssl_context(self) -> ssl.SSLContext:
        """Return the context without the strict checks that Python 3.13 added."""
        context = super().as_ssl_context()
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context


def connection(settings: kopf.OperatorSettings) -> Connection:
    """Return the service account's credentials, else the kubeconfig's."""
    found = kopf.login_with_service_account(settings=settings) or kopf.login_with_kubeconfig(settings=settings)
    if found is None:
        raise kopf.LoginError("found neither a service account nor a kubeconfig to log in with")
    return Connection(**{field.name: getattr(found, field.name) for field in dataclasses.fields(found)})


def access(settings: kopf.OperatorSettings) -> Access:
    """Return the same credentials for the loop's own requests."""
    try:
        info = connection(settings)
    except kopf.LoginError as error:
        raise OSError(str(error)) from error
    return Access(info.server.rstrip("/"), info.as_http_headers(), info.as_ssl_context())


@kopf.on.login()
def login(settings: kopf.OperatorSettings, **_: Any) -> kopf.ConnectionInfo:
    """Return the credentials of kopf's own requests."""
    return connection(settings)


@kopf.on.startup()
async def start(memo: Any, settings: kopf.OperatorSettings, **_: Any) -> None:
    """Start the loop, after the election if there is one, and the operator's port."""
    options: Options = memo.options
    configure(settings)
    election = None
    if options.lease:
        # Requests about the Lease end well before it does.
        own = Api(lambda: access(settings), min(options.api_timeout, RETRY_SECONDS))
        election = options.election = Election(own, *options.lease, options.identity)
    may_write = election.may_write if election else lambda: True
    api = Api(lambda: access(settings), options.api_timeout, may_write)
    clients = PodClient(options.token_file)
    options.loop = Loop(api, clients, options.namespaces, options.interval)
    leading = (lambda: election.leading) if election else lambda: True
    options.runner = await serve(options.loop, options.host, options.port, leading)
    options.task = asyncio.create_task(lead(options, options.loop), name="hunarmitra-operator-loop")


async def lead(options: Options, loop: Loop) -> None:
    """Run the loop while this replica leads. A replica that is replaced ends the process: its memory is out of date."""
    election = options.election
    if election is None:
        metrics.leading.set(1)
        await loop.run()
        return
    await election.acquire()
    loop.finished = time.monotonic()
    turns = asyncio.create_task(loop.run())
    try:
        await election.hold()
    finally:
        turns.cancel()
        await asyncio.gather(turns, return_exceptions=True)
    logger.error("another replica leads; this one ends and starts again to stand by")
    options.lost = True
    options.stop.set()


@kopf.on.cleanup()
async def stop(memo: Any, **_: Any) -> None:
    """Stop the loop. Drains are left to their leases and to the next operator."""
    options: Options = memo.options
    if options.task is not None:
        options.task.cancel()
        await asyncio.gather(options.task, return_exceptions=True)
    if options.election is not None:
        await options.election.release()
        await options.election.api.close()
    if options.loop is not None:
        await options.loop.stop()
        await options.loop.clients.close()
        await options.loop.api.close()
    if options.runner is not None:
        await options.runner.cleanup()


@kopf.on.event(kubernetes.GROUP, kubernetes.VERSION, kubernetes.PLURAL)
async def changed(
    memo: Any,
    type: str | None,  # noqa: A002 - kopf's name
    meta: kopf.Meta,
    spec: kopf.Spec,
    **_: Any,
) -> None:
    """Handle a resource that appeared, changed or was deleted."""
    loop = memo.options.loop
    if type == "DELETED":
        loop.gone(str(meta["namespace"]), str(meta["name"]))
    else:
        loop.seen(meta, dict(spec))

"""Leader election by a Lease: of several replicas one decides, the others stand by.

A leader renews its Lease every `RETRY_SECONDS`. A standby takes a Lease that its leader released, or that did not
change for `LEASE_SECONDS` of the standby's own clock; clocks of different nodes are never compared. Both are what
client-go's leaderelection does.

The loop does not stop when the Lease cannot be renewed, because the API server may be away, and then the drain leases
of pods must still be renewed. It only must not write: `may_write` turns false `RENEW_SECONDS` after the last renewal,
before another replica can lead. A write that is under way then is rejected if the other replica has written since,
because it names a resource version. Renewing a pod's drain lease from two replicas is harmless: both read it from the
same status.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from hunarmitra_operator import kubernetes, metrics
from hunarmitra_operator.kubernetes import Api, ApiError, Json
from hunarmitra_operator.problem import Problem

logger = logging.getLogger(__name__)

LEASE_SECONDS: Final = 10
"""With `RETRY_SECONDS` below the shortest drain lease, 15 s: a leader that dies in a drain is replaced in time."""
RENEW_SECONDS: Final = 7.0
RETRY_SECONDS: Final = 2.0

_RESOURCE: Final = "leases"


@dataclass
class Election:
    """One replica's part in the election. `api` is a client of its own, which is not restricted by `may_write`."""

    api: Api
    namespace: str
    name: str
    identity: str
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    _renewed: float = float("-inf")
    _leading: bool = False
    _seen: Json | None = None
    """The Lease's spec as this replica last saw it, of another holder."""
    _seen_at: float = 0.0
    _problem: Problem = field(default_factory=lambda: Problem(logger))

    @property
    def leading(self) -> bool:
        """Return whether this replica decides."""
        return self._leading

    def may_write(self) -> bool:
        """Return whether no other replica can lead at this moment."""
        return self._leading and self.clock() - self._renewed < RENEW_SECONDS

    async def acquire(self) -> None:
        """Wait until this replica leads."""
        logger.info("waiting for the lease %s/%s as %s", self.namespace, self.name, self.identity)
        while not await self._try():
            await self.sleep(RETRY_SECONDS)
        self._leading = True
        metrics.leading.set(1)
        logger.info("leading")

    async def hold(self) -> None:
        """Renew the Lease until another replica leads. Return then; this replica must decide nothing more."""
        while True:
            await self.sleep(RETRY_SECONDS)
            if not await self._try() and self._seen is not None:
                self._leading = False
                metrics.leading.set(0)
                return

    async def release(self) -> None:
        """Let another replica lead at once, after everything that this one does has stopped."""
        if not self._leading:
            return
        self._leading = False
        metrics.leading.set(0)
        try:
            lease = await self.api.get(self._path, _RESOURCE)
            if lease["spec"].get("holderIdentity") == self.identity:
                lease["spec"] |= {"holderIdentity": "", "renewTime": _now()}
                await self.api.put(self._path, _RESOURCE, lease)
        except ApiError as error:
            logger.warning("cannot release the lease; another replica leads in %d s: %s", LEASE_SECONDS, error)

    @property
    def _path(self) -> str:
        return kubernetes.lease(self.namespace, self.name)

    async def _try(self) -> bool:
        """Acquire or renew the Lease; return whether this replica holds it."""
        # Before the request: the holder's time ends no later than others count it.
        began = self.clock()
        try:
            held = await self._write()
        except ApiError as error:
            advice = "; its Role must allow get, create and update of leases" if error.status == 403 else ""
            self._problem.log(
                str(error.status), f"cannot renew the lease {self.namespace}/{self.name}: {error}{advice}"
            )
            return False
        self._problem.resolved("the lease can be read again")
        if held:
            self._renewed, self._seen = began, None
        return held

    async def _write(self) -> bool:
        try:
            lease = await self.api.get(self._path, _RESOURCE)
        except ApiError as error:
            if error.status != 404:
                raise
            return await self._write_if_unchanged(None, self._claimed({}))
        spec: Json = lease.get("spec") or {}
        if spec.get("holderIdentity") not in (None, "", self.identity) and not self._expired(spec):
            return False
        return await self._write_if_unchanged(lease, self._claimed(spec))

    async def _write_if_unchanged(self, lease: Json | None, spec: Json) -> bool:
        """Write the Lease; return false if another replica wrote it since it was read."""
        metadata = lease["metadata"] if lease else {"name": self.name, "namespace": self.namespace}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata, "spec": spec}
        try:
            if lease:
                await self.api.put(self._path, _RESOURCE, body)
            else:
                await self.api.post(kubernetes.leases(self.namespace), _RESOURCE, body)
        except ApiError as error:
            if error.status != 409:
                raise
            return False
        return True

    def _expired(self, spec: Json) -> bool:
        """Return whether another holder's Lease did not change for its duration since this replica first saw it."""
        now = self.clock()
        if spec != self._seen:
            self._seen, self._seen_at = spec, now
        return now - self._seen_at >= float(spec.get("leaseDurationSeconds") or LEASE_SECONDS)

    def _claimed(self, spec: Json) -> Json:
        now = _now()
        claimed = spec | {"holderIdentity": self.identity, "leaseDurationSeconds": LEASE_SECONDS, "renewTime": now}
        if spec.get("holderIdentity") != self.identity:
            claimed |= {"acquireTime": now, "leaseTransitions": int(spec.get("leaseTransitions") or 0) + bool(spec)}
        return claimed


def _now() -> str:
    """Return the time as Kubernetes' MicroTime."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")

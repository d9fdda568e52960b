"""The loop: a turn for every resource, every few seconds and whenever a spec changes.

Leases are renewed beside the turns, because a turn may wait for the API server and a lease may not. kopf's watch
reports which resources exist; every turn then reads its resource itself. So a stalled watch can only delay the first
turn of a new resource, and a list every minute finds it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from hunarmitra_operator import kubernetes, metrics
from hunarmitra_operator.claims import Claims, Key
from hunarmitra_operator.kubernetes import Api, ApiError, Json
from hunarmitra_operator.podclient import PodClient
from hunarmitra_operator.problem import Problem
from hunarmitra_operator.scaler import Scaler

logger = logging.getLogger(__name__)

RELIST_SECONDS = 60.0
KEEP_SECONDS = 0.5
TURN_SECONDS = 30.0
"""Longest duration of a turn. A longer turn is cancelled; the next one starts from the cluster's state."""


@dataclass
class Loop:
    """Keeps a `Scaler` for each resource and runs their turns. `namespaces` is empty for all namespaces."""

    api: Api
    clients: PodClient
    namespaces: tuple[str, ...] = ()
    interval: float = 5.0
    clock: Callable[[], float] = time.time
    scalers: dict[Key, Scaler] = field(default_factory=dict)
    finished: float = field(default_factory=time.monotonic)
    listed: float = float("-inf")
    claims: Claims = field(default_factory=Claims)
    _problems: dict[str, Problem] = field(default_factory=dict)
    _generations: dict[Key, int] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, meta: Mapping[str, Any], spec: Json) -> None:
        """Note that a resource exists. A new resource or spec gets its turn at once; a change of status does not."""
        key = (str(meta["namespace"]), str(meta["name"]))
        generation = int(meta.get("generation", 0))
        self.claims.claim(meta, spec)
        if key not in self.scalers:
            self.scalers[key] = Scaler(self.api, self.clients, *key, clock=self.clock, claims=self.claims)
        if self._generations.get(key) != generation:
            self._generations[key] = generation
            self._wake.set()

    def gone(self, namespace: str, name: str) -> None:
        """Note that a resource was deleted. The next turn finds out and returns its victims to service."""
        self.claims.drop((namespace, name))
        if (namespace, name) in self.scalers:
            self._wake.set()

    async def run(self) -> None:
        """Run turns until cancelled, and renew leases beside them."""
        keeper = asyncio.create_task(self._keep())
        try:
            await self._turns()
        finally:
            keeper.cancel()

    async def _keep(self) -> None:
        """Renew every lease that is due, whatever the turns wait for."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            due = [scaler for scaler in self.scalers.values() if scaler.due]
            for result in await asyncio.gather(*(s.keep_alive() for s in due), return_exceptions=True):
                if isinstance(result, BaseException):
                    logger.error("a lease could not be renewed", exc_info=result)

    async def _turns(self) -> None:
        while True:
            began = time.monotonic()
            # Cleared before the turn: a spec that changes during the turn may have been read already.
            self._wake.clear()
            try:
                await self.turn()
                self.finished = time.monotonic()
            except Exception:
                # It does not count as a turn, so that the liveness probe notices a lasting failure.
                logger.exception("a turn failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, began + self.interval - time.monotonic())):
                    await self._wake.wait()

    async def turn(self) -> None:
        """Take one turn for every resource, all at once."""
        if time.monotonic() - self.listed >= RELIST_SECONDS:
            await self._relist()
        await asyncio.gather(*(self._one(key, scaler) for key, scaler in list(self.scalers.items())))

    async def _one(self, key: Key, scaler: Scaler) -> None:
        try:
            async with asyncio.timeout(TURN_SECONDS):
                found = await scaler.turn()
                if not found:
                    self.claims.drop(key)
                    self.scalers.pop(key, None)
                    self._generations.pop(key, None)
                    await scaler.release_all()
                    metrics.forget(*key)
        except TimeoutError:
            metrics.turn_errors.labels(*key, "timeout").inc()
            logger.error("%s/%s: a turn took longer than %.0f s", *key, TURN_SECONDS)
        except Exception:
            # An error of one resource must not stop the turns of the others.
            metrics.turn_errors.labels(*key, "unexpected").inc()
            logger.exception("%s/%s: a turn failed", *key)

    async def _relist(self) -> None:
        """Find resources that the watch did not report."""
        if all(await asyncio.gather(*(self._list(namespace) for namespace in self.namespaces or ("",)))):
            self.listed = time.monotonic()

    async def _list(self, namespace: str) -> bool:
        """List one namespace. A namespace that cannot be listed must not hide the others."""
        where = f" in {namespace}" if namespace else ""
        problem = self._problems.setdefault(namespace, Problem(logger))
        try:
            found = await self.api.get(kubernetes.scalers(namespace), kubernetes.PLURAL)
            for item in found["items"]:
                self.seen(item["metadata"], item.get("spec", {}))
        except ApiError as error:
            problem.log(str(error.status), f"cannot list WebSocketScalers{where}: {error}")
            return False
        except Exception:
            logger.exception("cannot read the list of WebSocketScalers")
            return False
        problem.resolved(f"WebSocketScalers{where} can be listed again")
        return True

    def stalled(self, limit: float) -> bool:
        """Return whether no turn has ended for `limit` seconds. A turn without the API server has ended too."""
        return time.monotonic() - self.finished > limit

    async def stop(self) -> None:
        """Stop moving connections. Drains are left to their leases: the next operator continues them."""
        for scaler in self.scalers.values():
            scaler.actor.stop()

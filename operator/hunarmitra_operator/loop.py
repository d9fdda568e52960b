"""The one loop: a turn for every resource, every few seconds and whenever a spec changes.

Leases are renewed beside the turns, because a turn may wait for the API server and a lease may not.

kopf's watch tells which resources there are; every turn then reads its resource itself. A watch that stalls
in silence can therefore delay the news of a resource, never the care for one, and a list now and then catches
up with that."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from hunarmitra_operator import kubernetes, metrics
from hunarmitra_operator.claims import Claims, Key
from hunarmitra_operator.kubernetes import Api, ApiError, Json
from hunarmitra_operator.podclient import PodClient
from hunarmitra_operator.scaler import Scaler
from hunarmitra_operator.trouble import Trouble

logger = logging.getLogger(__name__)

RELIST_SECONDS = 60.0
KEEP_SECONDS = 0.5
TURN_SECONDS = 30.0
"""A turn that takes longer is broken off; the next one starts from what is there."""


@dataclass
class Loop:
    """Keeps a `Scaler` for each resource and gives each its turn. `namespaces` is empty for all of them."""

    api: Api
    clients: PodClient
    namespaces: tuple[str, ...] = ()
    interval: float = 5.0
    clock: Callable[[], float] = time.time
    scalers: dict[Key, Scaler] = field(default_factory=dict)
    finished: float = field(default_factory=time.monotonic)
    listed: float = float("-inf")
    claims: Claims = field(default_factory=Claims)
    _troubles: dict[str, Trouble] = field(default_factory=dict)
    _generations: dict[Key, int] = field(default_factory=dict)
    _wake: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, namespace: str, name: str, generation: int, spec: Json) -> None:
        """A resource exists. A new one, or a new spec, gets its turn at once; our own status does not."""
        key = (namespace, name)
        self.claims.claim(key, spec)
        if key not in self.scalers:
            self.scalers[key] = Scaler(
                self.api, self.clients, namespace, name, clock=self.clock, claims=self.claims
            )
        if self._generations.get(key) != generation:
            self._generations[key] = generation
            self._wake.set()

    def gone(self, namespace: str, name: str) -> None:
        """A resource was deleted; the next turn finds out, and lets its victims go."""
        self.claims.drop((namespace, name))
        if (namespace, name) in self.scalers:
            self._wake.set()

    async def run(self) -> None:
        """Turn after turn, until cancelled; and leases are renewed beside them."""
        keeper = asyncio.create_task(self._keep())
        try:
            await self._turns()
        finally:
            keeper.cancel()

    async def _keep(self) -> None:
        """Renew every lease that is due, whatever the turns are waiting for."""
        while True:
            await asyncio.sleep(KEEP_SECONDS)
            due = [scaler for scaler in self.scalers.values() if scaler.due]
            for result in await asyncio.gather(*(s.keep_alive() for s in due), return_exceptions=True):
                if isinstance(result, BaseException):
                    logger.error("a lease could not be renewed", exc_info=result)

    async def _turns(self) -> None:
        while True:
            began = time.monotonic()
            # Before the turn: a spec that changes during it may have been read already.
            self._wake.clear()
            try:
                await self.turn()
                self.finished = time.monotonic()
            except Exception:
                # Not counted as a turn, so that the liveness probe sees it if it stays so.
                logger.exception("a turn failed")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(max(0.0, began + self.interval - time.monotonic())):
                    await self._wake.wait()

    async def turn(self) -> None:
        """One turn for every resource, all at once."""
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
                    await scaler.let_go()
                    metrics.forget(*key)
        except TimeoutError:
            metrics.turn_errors.labels(*key, "timeout").inc()
            logger.error("%s/%s: a turn took longer than %.0f s", *key, TURN_SECONDS)
        except Exception:
            # One resource's trouble must not stop the others'; the loop goes on and the traceback is logged.
            metrics.turn_errors.labels(*key, "unexpected").inc()
            logger.exception("%s/%s: a turn failed", *key)

    async def _relist(self) -> None:
        """Find resources that the watch did not tell of."""
        if all(await asyncio.gather(*(self._list(namespace) for namespace in self.namespaces or ("",)))):
            self.listed = time.monotonic()

    async def _list(self, namespace: str) -> bool:
        """Find those of one list; a namespace that cannot be listed must not hide the others."""
        where = f" in {namespace}" if namespace else ""
        trouble = self._troubles.setdefault(namespace, Trouble(logger))
        try:
            found = await self.api.get(kubernetes.scalers(namespace), kubernetes.PLURAL)
            for item in found["items"]:
                meta = item["metadata"]
                generation = int(meta.get("generation", 0))
                self.seen(meta["namespace"], meta["name"], generation, item.get("spec", {}))
        except ApiError as error:
            trouble.log(str(error.status), f"cannot list WebSocketScalers{where}: {error}")
            return False
        except Exception:
            logger.exception("cannot read the list of WebSocketScalers")
            return False
        trouble.over(f"WebSocketScalers{where} can be listed again")
        return True

    def stalled(self, limit: float) -> bool:
        """Whether no turn has ended for `limit` seconds. One that failed for want of the API server has ended
        too."""
        return time.monotonic() - self.finished > limit

    async def stop(self) -> None:
        """Stop moving connections. Drains are left to their leases: the next operator continues them."""
        for scaler in self.scalers.values():
            scaler.actor.stop()

"""Talks to the pods' control port: how many connections, drain, return to service, move some away.

Every request has a deadline; a pod that does not answer in time is a fact, not an error of the operator.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import aiohttp

from hunarmitra_operator import metrics
from hunarmitra_operator.model import Control, Pod

logger = logging.getLogger(__name__)

PARALLEL = 64
"""Requests under way at once; a thousand pods are read in a few rounds without a thousand open sockets."""


class PodError(Exception):
    """A pod did not do what it was asked; the message says why."""


class PodClient:
    """One session with all pods. The token is read from its file each time, as it may be rotated."""

    def __init__(self, token_file: Path | None) -> None:
        self._token_file = token_file
        self._session: aiohttp.ClientSession | None = None
        self._slots = asyncio.Semaphore(PARALLEL)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _headers(self) -> dict[str, str]:
        """The bearer token: the file's first line, as the second is the one on its way out."""
        if self._token_file is None:
            return {}
        try:
            lines = self._token_file.read_text().split()
        except OSError as error:
            raise PodError(f"the token cannot be read: {error}") from error
        return {"Authorization": f"Bearer {lines[0]}"} if lines else {}

    async def connections(self, pods: Iterable[Pod], control: Control) -> dict[str, int]:
        """The connections of every pod that answers in time, by UID; all are asked at once."""
        try:
            headers = self._headers()
        except PodError as error:
            logger.warning("no pod can be asked: %s", error)
            return {}
        asked = [pod for pod in pods if pod.ip]
        answers = await asyncio.gather(*(self._count(pod, control, headers) for pod in asked))
        return {pod.uid: count for pod, count in zip(asked, answers, strict=True) if count is not None}

    async def _count(self, pod: Pod, control: Control, headers: Mapping[str, str]) -> int | None:
        try:
            body = await self._call("GET", pod, control, "connections", headers=headers)
            total = body["total"]
        except (PodError, KeyError, TypeError):
            return None
        return total if isinstance(total, int) and not isinstance(total, bool) and total >= 0 else None

    async def drain(self, pod: Pod, control: Control, lease: str, ttl: int) -> None:
        """Begin a drain under a lease, or renew it. Also right after a restart of the container."""
        await self._call(
            "POST", pod, control, "drain", headers=self._headers(), payload={"id": lease, "ttl_seconds": ttl}
        )

    async def release(self, pod: Pod, control: Control, lease: str) -> None:
        """Return a pod to service; one that has no such lease is in service already."""
        try:
            await self._call("DELETE", pod, control, f"drain?id={lease}", headers=self._headers())
        except PodError as error:
            if not str(error).startswith("404"):
                raise

    async def shed(self, pod: Pod, control: Control, connections: int) -> int:
        """Move that many connections away at once; how many it were."""
        body = await self._call(
            "POST", pod, control, "shed", headers=self._headers(), payload={"connections": connections}
        )
        moved = body.get("moved", connections)
        return moved if isinstance(moved, int) else 0

    async def _call(
        self,
        verb: str,
        pod: Pod,
        control: Control,
        path: str,
        *,
        headers: Mapping[str, str],
        payload: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        if self._session is None:
            self._session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0, limit_per_host=2))
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        outcome = "error"
        try:
            async with (
                self._slots,
                asyncio.timeout(control.timeout),
                self._session.request(
                    verb, f"http://{host}:{control.port}/{path}", json=payload, headers=headers
                ) as response,
            ):
                outcome = str(response.status)
                if response.status >= 300:
                    raise PodError(f"{response.status} from {pod.name}")
                body = await response.json(content_type=None)
        except TimeoutError as error:
            outcome = "timeout"
            raise PodError(f"{pod.name} did not answer within {control.timeout} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PodError(f"{pod.name} could not be asked: {error}") from error
        finally:
            metrics.pod_requests.labels(f"{verb} {path.partition('?')[0]}", outcome).inc()
        return body if isinstance(body, dict) else {}

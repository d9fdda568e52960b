"""Client of the pods' control port: read connections, drain, return to service, move connections.

Every request has a deadline. A pod that does not answer in time is an observation, not an error of the operator.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from hunarmitra_operator import kubernetes, metrics
from hunarmitra_operator.model import Control, Pod
from hunarmitra_operator.problem import Problem

logger = logging.getLogger(__name__)

PARALLEL = 64
"""Requests in flight at once, so that a thousand pods do not need a thousand open sockets."""
FLEET_SECONDS = 5.0
"""How long all pods together may take to answer; longer only if one pod may take longer.

Otherwise hanging pods would hold a turn for one deadline per `PARALLEL` pods.
"""


def together(control: Control) -> float:
    """Return how long requests to many pods may take."""
    return max(FLEET_SECONDS, control.timeout)


class PodError(Exception):
    """A pod did not do what it was asked; the message says why."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a pod reports: its connections, and further numbers by name."""

    connections: int
    metrics: Mapping[str, float]


def further_metrics(raw: object) -> dict[str, float]:
    """Return the numbers among the optional `metrics` of a pod's answer; anything else counts as not reported."""
    if not isinstance(raw, Mapping):
        return {}
    return {
        str(name): float(value)
        for name, value in raw.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value) and value >= 0
    }


class PodClient:
    """One HTTP session for all pods. The token is read from its file each time, as it may be rotated."""

    def __init__(self, token_file: Path | None) -> None:
        self._token_file = token_file
        self._session: aiohttp.ClientSession | None = None
        self._problem = Problem(logger)
        # Two semaphores: renewing a lease must not wait until hanging pods were read.
        self._reading = asyncio.Semaphore(PARALLEL)
        self._acting = asyncio.Semaphore(PARALLEL)

    async def close(self) -> None:
        """Close the session."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _headers(self) -> dict[str, str]:
        """Return the bearer token: the file's first line. The second line is the token before a rotation."""
        if self._token_file is None:
            return {}
        try:
            lines = self._token_file.read_text().split()
        except OSError as error:
            raise PodError(f"the token cannot be read: {error}") from error
        return {"Authorization": f"Bearer {lines[0]}"} if lines else {}

    async def readings(self, pods: Iterable[Pod], control: Control) -> dict[str, Reading | None]:
        """Return what every pod that was asked reports, by UID; None for a pod that did not answer in time.

        Pods are asked in the given order. Those whose turn has not come at the common deadline are not asked.
        """
        try:
            headers = self._headers()
        except PodError as error:
            self._problem.log("", f"no pod can be asked: {error}")
            return {}
        self._problem.resolved("pods can be asked again")
        readings: dict[str, Reading | None] = {}
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(together(control)):
                await asyncio.gather(*(self._read(pod, control, headers, readings) for pod in pods if pod.ip))
        return readings

    async def _read(
        self, pod: Pod, control: Control, headers: Mapping[str, str], readings: dict[str, Reading | None]
    ) -> None:
        async with self._reading:
            readings[pod.uid] = None
            try:
                body = await self._call("GET", pod, control, "connections", headers=headers)
                total = body["total"]
            except (PodError, KeyError, TypeError):
                return
        if isinstance(total, int) and not isinstance(total, bool) and total >= 0:
            readings[pod.uid] = Reading(total, further_metrics(body.get("metrics")))

    async def drain(self, pod: Pod, control: Control, lease: str, ttl: int) -> None:
        """Begin a drain under a lease, or renew it; also after a restart of the container."""
        await self._act("POST", pod, control, "drain", {"id": lease, "ttl_seconds": ttl})

    async def release(self, pod: Pod, control: Control, lease: str) -> None:
        """Return a pod to service. A pod without this lease is in service already."""
        try:
            await self._act("DELETE", pod, control, f"drain?id={lease}")
        except PodError as error:
            if not str(error).startswith("404"):
                raise

    async def move(self, pod: Pod, control: Control, connections: int) -> int:
        """Move that many connections away at once; return how many were moved."""
        body = await self._act("POST", pod, control, "shed", {"connections": connections})
        moved = body.get("moved", connections)
        return moved if isinstance(moved, int) else 0

    async def _act(
        self, verb: str, pod: Pod, control: Control, path: str, payload: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        async with self._acting:
            return await self._call(verb, pod, control, path, headers=self._headers(), payload=payload)

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
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, limit_per_host=2), headers={"User-Agent": kubernetes.AGENT}
            )
        host = f"[{pod.ip}]" if ":" in pod.ip else pod.ip
        outcome = "error"
        try:
            async with (
                asyncio.timeout(control.timeout),
                self._session.request(
                    verb, f"http://{host}:{control.port}/{path}", json=payload, headers=headers
                ) as response,
            ):
                outcome = str(response.status)
                if response.status >= 300:
                    raise PodError(f"{response.status} from {pod.name}")
                body = await response.json(content_type=None)
        except asyncio.CancelledError:
            outcome = "timeout"
            raise
        except TimeoutError as error:
            outcome = "timeout"
            raise PodError(f"{pod.name} did not answer within {control.timeout} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise PodError(f"{pod.name} could not be asked: {error}") from error
        finally:
            metrics.pod_requests.labels(f"{verb} {path.partition('?')[0]}", outcome).inc()
        return body if isinstance(body, dict) else {}

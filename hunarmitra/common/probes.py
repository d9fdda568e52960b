"""The paths that kubelets, load balancers and Prometheus read every few seconds; a log would be full of them."""

from __future__ import annotations

from typing import Final

LIVE: Final = "/livez"
READY: Final = "/readyz"
METRICS: Final = "/metrics"

_ANSWERS: Final = frozenset({200, 503})


def is_probe(path: str, status: int) -> bool:
    """Return whether a request was answered as a probe. Where there are no probes, these paths are 404."""
    return status in _ANSWERS and path in {LIVE, READY, METRICS}

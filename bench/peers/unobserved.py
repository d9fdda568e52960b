"""Our ws server without its metrics, to measure what they cost: ``python -m bench.peers.unobserved``.

The product has no switch for them, because nobody should run it blind. What the server calls while it delivers is
replaced by nothing before it starts; what is read only when somebody scrapes stays, and shows zeros.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

import django


def _nothing(*_: Any, **__: Any) -> None:
    pass


async def _no_sampling() -> None:
    await asyncio.Event().wait()


def switch_off() -> None:
    """Nothing is counted or timed in this process from now on. Before the server is made: it keeps some of these."""
    from hunarmitra.telemetry.loop import HistogramSeries, LoopCounter, LoopHistogram
    from hunarmitra_ws.hub import hub
    from hunarmitra_ws.metrics import metrics

    for owner, names in (
        (metrics, ("opened", "live", "ended", "closed", "delivered")),
        (metrics.latency, ("arrived", "delivered", "written")),
        (metrics.acknowledgements, ("ask", "receive")),
        (LoopCounter, ("inc",)),
        (LoopHistogram, ("observe",)),
        (HistogramSeries, ("observe",)),
    ):
        for name in names:
            if not hasattr(owner, name):
                raise AttributeError(f"{owner!r} has no {name!r} any more: what is measured here has moved")
            setattr(owner, name, _nothing)
    if not hasattr(hub, "_sample_loop_delay"):
        raise AttributeError("the sampling of the loop's delay has moved")
    setattr(hub, "_sample_loop_delay", _no_sampling)  # noqa: B010 - a module's function is replaced on purpose


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()
    switch_off()

    from hunarmitra_ws.server import cli

    cli.main()


if __name__ == "__main__":
    main()

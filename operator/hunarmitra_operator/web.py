"""The operator's own port: probes and metrics."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from hunarmitra_operator.loop import Loop

STALL_SECONDS = 60.0


def application(loop: Loop, leading: Callable[[], bool]) -> web.Application:
    """Return the application: `/livez` fails when the loop stalls, `/readyz` until the first turn has ended, `/metrics`
    never. A replica that stands by has no turns and is live and ready.
    """
    first = loop.finished

    async def livez(_: web.Request) -> web.Response:
        if leading() and loop.stalled(STALL_SECONDS):
            return web.Response(status=503, text=f"no turn has ended for {STALL_SECONDS:.0f} s\n")
        return web.Response(text="ok\n")

    async def readyz(_: web.Request) -> web.Response:
        if not leading():
            return web.Response(text="standing by\n")
        if loop.finished == first:
            return web.Response(status=503, text="the first turn has not ended yet\n")
        return web.Response(text="ok\n")

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})

    app = web.Application()
    app.add_routes([web.get("/livez", livez), web.get("/readyz", readyz), web.get("/metrics", metrics)])
    return app


async def serve(loop: Loop, host: str, port: int, leading: Callable[[], bool]) -> web.AppRunner:
    """Start listening and return the runner, which the caller has to clean up."""
    runner = web.AppRunner(application(loop, leading), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return runner

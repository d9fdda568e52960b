"""Run by `shell.Shell` in a stack's environment: executes what it is sent, a JSON line at a time.

A request is `{"source", "variables"}`. The source runs with every public name of the domain's models and services
in reach, and may set `result`; a coroutine function `main` is awaited on one event loop, which runs all the time in a
thread of its own. The answer is `{"result"}` or `{"error"}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import traceback
from typing import Any

import django


def namespace() -> dict[str, Any]:
    from asgiref.sync import async_to_sync
    from channels.layers import get_channel_layer

    from hunarmitra.accounts import models as account_models
    from hunarmitra.accounts import services as account_services
    from hunarmitra.bookings import models as booking_models
    from hunarmitra.common import clock
    from hunarmitra.notifications import models as notification_models
    from hunarmitra.notifications import services as notification_services
    from hunarmitra.outbox import publishing
    from hunarmitra.protocol import channels, messages

    names: dict[str, Any] = {
        "asyncio": asyncio,
        "async_to_sync": async_to_sync,
        "get_channel_layer": get_channel_layer,
        "channels": channels,
        "messages": messages,
    }
    for module in (
        account_models,
        account_services,
        booking_models,
        clock,
        notification_models,
        notification_services,
        publishing,
    ):
        names |= {name: value for name, value in vars(module).items() if not name.startswith("_")}
    return names


def execute(request: dict[str, Any], names: dict[str, Any], loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    scope = {**names, **request["variables"], "result": None}
    try:
        exec(compile(request["source"], "<test>", "exec"), scope)  # noqa: S102 - the test's own source
        if "main" in scope:
            scope["result"] = asyncio.run_coroutine_threadsafe(scope["main"](), loop).result(60)
    except BaseException:  # noqa: BLE001 - the test that asked raises it
        return {"error": traceback.format_exc()}
    return {"result": scope["result"]}


def serve() -> None:
    names = namespace()
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the code under test prints is not an answer
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    answers.write(json.dumps({"result": "ready"}) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(execute(json.loads(line), names, loop), default=str) + "\n")


if __name__ == "__main__":
    os.environ["DJANGO_SETTINGS_MODULE"] = "hunarmitra.settings"
    django.setup()
    serve()

"""Call functions in a stack's environment; `shell.Shell` runs this module and sends it one JSON line for each call.

A request has the `name` of a function, its `arguments`, and the `module` or the `source` that defines it. Coroutine
functions run on one event loop, which runs all the time in its own thread. The answer is `{"result"}` or `{"error"}`.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import json
import os
import sys
import threading
import traceback
from typing import Any

import django


def function_of(request: dict[str, Any]) -> Any:
    if "module" in request:
        return getattr(importlib.import_module(request["module"]), request["name"])
    scope: dict[str, Any] = {"__name__": "sent_by_a_test"}
    exec(compile(request["source"], f"<{request['name']}>", "exec"), scope)  # noqa: S102 - a function of the test
    return scope[request["name"]]


def execute(request: dict[str, Any], loop: asyncio.AbstractEventLoop) -> dict[str, Any]:
    try:
        result = function_of(request)(**request["arguments"])
        if inspect.iscoroutine(result):
            result = asyncio.run_coroutine_threadsafe(result, loop).result(60)
    except BaseException:  # noqa: BLE001 - the test raises it
        return {"error": traceback.format_exc()}
    return {"result": result}


def serve() -> None:
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # output of the code under test is not an answer
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    answers.write(json.dumps({"result": "ready"}) + "\n")
    for line in sys.stdin:
        answers.write(json.dumps(execute(json.loads(line), loop), default=str) + "\n")


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "hunarmitra.settings")
    django.setup()
    serve()

"""Call a function of a test in another process, which may not have the tests, such as a pod.

A function of the project is imported there. A function of the tests is sent as source, so it must import in its body
all that it uses. Arguments and result are JSON.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from textwrap import dedent
from typing import Any, Final

FUTURE: Final = "from __future__ import annotations\n"
"""Annotations are not evaluated, so they may use names of the test's module."""

PROJECT: Final = ("hunarmitra", "hunarmitra_http", "hunarmitra_ws")


def source_of(function: Callable[..., Any]) -> str:
    """Return the source of a function of the tests as a module."""
    return FUTURE + dedent(inspect.getsource(function))


def request(function: Callable[..., Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Return a request to `tests.support.shell_server`."""
    module = function.__module__
    where = {"module": module} if module.partition(".")[0] in PROJECT else {"source": source_of(function)}
    return {**where, "name": function.__name__, "arguments": dict(arguments)}


def program_of(function: Callable[..., Any]) -> str:
    """Return a program that reads the arguments from stdin, calls a function of the tests, and prints its result."""
    return (
        f"{source_of(function)}\n"
        "import json, os, sys\n"
        "os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'hunarmitra.settings')\n"
        f"print(json.dumps({function.__name__}(**json.loads(sys.stdin.read())), default=str))\n"
    )

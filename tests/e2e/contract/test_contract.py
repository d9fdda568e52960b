"""Every behaviour that a client can see, through the ingress: the suites of tests/integration, collected once more.

Left out are the tests that start a server with settings of their own, read its log, or ask for a server's metrics.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

SUITES = {
    "ws": (
        *("authenticate", "client_messages", "events", "first_frame", "joining", "notifications", "origin"),
        *("positions", "resume", "resume_under_load", "revocation"),
    ),
    "rest": ("auth", "bad_input", "endpoints", "idempotency", "transitions"),
}


def collected() -> dict[str, Any]:
    """The tests under names that say whence they are; fixtures and marks of each module with them."""
    found: dict[str, Any] = {}
    for folder, names in SUITES.items():
        for name in names:
            module = import_module(f"tests.integration.{folder}.test_{name}")
            for key, value in vars(module).items():
                if key.startswith("test_"):
                    found[f"test_{folder}_{name}_{key.removeprefix('test_')}"] = value
                elif type(value).__name__ == "FixtureFunctionDefinition":
                    found[key] = value
    return found


globals().update(collected())

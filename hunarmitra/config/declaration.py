"""How a setting is declared: a field with its parser, default, unit and help."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Any

BASE_DIR = Path(__file__).resolve().parents[2]
DEVELOPMENT_SECRET = "development-only-secret-key-never-used-with-debug-off"  # noqa: S105 - see secret_key


class ConfigurationError(Exception):
    """A setting that the service cannot run with; the message names the variable and the reason."""


def variable(
    parse: Callable[[str], Any],
    default: Any,
    text: str,
    *,
    secret: bool = False,
    shown: str | None = None,
    section: str | None = None,
) -> Any:
    """Declare a field of :class:`Environment`: its parser, default and help, and the heading that it opens."""
    metadata = {"parse": parse, "help": text, "secret": secret, "shown": shown, "section": section}
    return field(default=default, metadata=metadata)

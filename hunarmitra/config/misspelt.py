"""Find misspelt settings: a variable such as ``ALOWED_ORIGINS`` would silently leave the setting at its default."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import fields
from difflib import get_close_matches
from typing import Final

from hunarmitra.config.environment import Environment
from hunarmitra.config.reading import process_variables

logger = logging.getLogger(__name__)

RESEMBLES: Final = 0.9
"""Similarity above which a name counts as a misspelt setting: one wrong letter in a short name, two in a long one."""


def misspelt(names: Iterable[str]) -> dict[str, str]:
    """Return the names that resemble a setting but are not one, each with the setting that was probably meant."""
    known = {item.name.upper() for item in fields(Environment)}
    known |= {f"{item.name.upper()}_FILE" for item in fields(Environment) if item.metadata["secret"]}
    found = {}
    for name in names:
        if name not in known and (close := get_close_matches(name.upper(), known, n=1, cutoff=RESEMBLES)):
            found[name] = close[0]
    return found


def warn_of_misspelt_settings() -> None:
    """Log a warning for each variable of this process that looks like a misspelt setting."""
    for name, meant in sorted(misspelt(process_variables()).items()):
        logger.warning("the environment has %s, which is not a setting; did you mean %s?", name, meant)

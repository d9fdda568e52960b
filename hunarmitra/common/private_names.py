"""Private names of other libraries, as data: what an adapter uses, why, and in which version it was read.

A private name is one that its library does not document, with or without an underscore. Each library has one module
``<library>_adapter.py``, which alone uses such names and lists them in ``LIBRARY``. ``tools/private_names.py`` finds
uses elsewhere, and a test compares the lists with the installed versions.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PrivateName:
    """``owner`` is ``module`` or ``module:Class``; ``parameters`` is None for data, else a function's parameters."""

    owner: str
    name: str
    parameters: tuple[str, ...] | None
    reason: str


@dataclass(frozen=True, slots=True)
class Library:
    """A distribution, the version in which the names were read, and the names."""

    distribution: str
    version: str
    names: tuple[PrivateName, ...]


def names_of(owner: str, reasons: Mapping[str, str]) -> Iterable[PrivateName]:
    """Names of one owner with their reasons; ``"close(code, reason)"`` is a function, ``"closed"`` is data."""
    for text, reason in reasons.items():
        name, is_function, rest = text.partition("(")
        parameters = tuple(part.strip() for part in rest.rstrip(")").split(",") if part.strip())
        yield PrivateName(owner, name, parameters if is_function else None, reason)

"""The metric of the database, in every process that uses it."""

from __future__ import annotations

from typing import Final

from prometheus_client import CollectorRegistry

from hunarmitra.telemetry import catalogue
from hunarmitra.telemetry.labels import DATABASE_PROBLEMS
from hunarmitra.telemetry.native import gauge

REGISTRY: Final = CollectorRegistry()

_unwritable: Final = gauge(catalogue.DATABASE_UNWRITABLE, REGISTRY)


def unwritable(problem: str | None) -> None:
    """This process cannot write, because of this problem; None: it can."""
    for each in DATABASE_PROBLEMS:
        _unwritable.labels(each).set(each == problem)

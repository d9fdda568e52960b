"""The shapes of the system as parameters of fixtures. Imports no server, so that every start of pytest is fast."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

SHAPES = ("embedded", "distributed")


def with_slow_shapes(shapes: Sequence[str]) -> list[Any]:
    """Return parameters for a fixture: `make test` runs the distributed shape, `make test-all` the others too."""
    return [shape if shape == "distributed" else pytest.param(shape, marks=pytest.mark.slow) for shape in shapes]

"""The distribution of tests by pytest-xdist: a file's tests of one shape stay together, and so do those on a cluster.

Long files come first and short ones last, to fill the time in which one process still runs a long file.

The shapes are session fixtures that take seconds to start, so a worker must not change between them with each test.
There is one cluster, with one release at a time. (``--dist loadgroup`` would do the same with marks, but pytest-xdist
3.8 sets ``Item._nodeid`` for it, which pytest 9.2 no longer reads.)
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import NodeManager

from tests.support.shapes import SHAPES

# Seconds. pytest-xdist kills a worker that takes longer, and its servers would then continue to run.
NodeManager.EXIT_TIMEOUT = 60

ON_A_CLUSTER = "tests/e2e/"
FIRST: Final = ("browser", "observability")
"""Folders whose files take minutes."""
LAST: Final = ("chart", "services", "unit")
"""Folders whose files take seconds."""


def long_ones_first(items: list[pytest.Item]) -> None:
    """Sort the tests of a worker, each folder as it was."""

    def place(item: pytest.Item) -> int:
        folder = item.nodeid.split("/")[1]
        return -1 if folder in FIRST else folder in LAST

    items.sort(key=place)


class ByFileAndShape(LoadScopeScheduling):
    """Sorts the tests by shape, in the collection and in the share of each worker."""

    def __init__(self, config: pytest.Config, log: Any) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # pytest-xdist would begin with the files of most tests

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ON_A_CLUSTER):
            return ON_A_CLUSTER
        file, _, test = nodeid.partition("::")
        _, _, parameters = test.partition("[")
        shape = next((shape for shape in SHAPES if shape in parameters.rstrip("]").split("-")), "")
        return f"{file}[{shape}]"

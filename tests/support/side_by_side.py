"""The distribution of tests by pytest-xdist: a file's tests of one shape stay together, and so do those on a cluster.

The shapes are session fixtures that take seconds to start, so a worker must not change between them with each test.
There is one cluster, with one release at a time. (``--dist loadgroup`` would do the same with marks, but pytest-xdist
3.8 sets ``Item._nodeid`` for it, which pytest 9.2 no longer reads.)
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import NodeManager

from tests.support.shapes import SHAPES

# Seconds. pytest-xdist kills a worker that takes longer, and its servers would then continue to run.
NodeManager.EXIT_TIMEOUT = 60

ON_A_CLUSTER = "tests/e2e/"


class ByFileAndShape(LoadScopeScheduling):
    """Sorts the tests by shape, in the collection and in the share of each worker."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ON_A_CLUSTER):
            return ON_A_CLUSTER
        file, _, test = nodeid.partition("::")
        _, _, parameters = test.partition("[")
        shape = next((shape for shape in SHAPES if shape in parameters.rstrip("]").split("-")), "")
        return f"{file}[{shape}]"

"""How pytest-xdist hands the tests out: a file's tests on one shape of the system stay together, and so do those
on a cluster.

The shapes are session fixtures that take seconds to start, so a worker that changed between them from test to
test would do little else. Of clusters there is one, with one release on it at a time. (``--dist loadgroup`` would
say the same with marks, but pytest-xdist 3.8 sets ``Item._nodeid`` for it, which pytest 9.2 no longer reads.)
"""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import NodeManager

# Seconds; pytest-xdist kills a worker that takes longer, and the servers that it had yet to stop stay behind.
NodeManager.EXIT_TIMEOUT = 60

SHAPES = ("embedded", "distributed")
ON_A_CLUSTER = "tests/e2e/"


class ByFileAndShape(LoadScopeScheduling):
    """The collection has all of one shape before the other, and so has each worker's share."""

    def _split_scope(self, nodeid: str) -> str:
        if nodeid.startswith(ON_A_CLUSTER):
            return ON_A_CLUSTER
        file, _, test = nodeid.partition("::")
        _, _, parameters = test.partition("[")
        shape = next((shape for shape in SHAPES if shape in parameters.rstrip("]").split("-")), "")
        return f"{file}[{shape}]"

"""The published Python client, which is not installed here, for the test of the chaos test's users."""

import sys

from tests.e2e.chaos.processes import PYTHON_CLIENT

sys.path.append(str(PYTHON_CLIENT))

"""The profile of Hypothesis, loaded when this module is imported.

`tests/conftest.py` imports it before a test module that uses Hypothesis, and not at every start of pytest.
"""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A slow or busy machine is not a fault of the tested code, so generated examples have no time limit.
settings.register_profile("no time limits", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("no time limits")

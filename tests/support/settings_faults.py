"""Settings of server processes that carry out a test's `Faults`: those of the other servers."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support import faults
from tests.support.settings_servers import *  # noqa: F403 - settings are names in a module

faults.obey(Path(os.environ["FAULTS_DIRECTORY"]))

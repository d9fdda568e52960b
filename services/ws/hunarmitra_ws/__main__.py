"""Start the ws server: ``python -m hunarmitra_ws``; ``--help`` lists its options."""

from __future__ import annotations

from hunarmitra_ws.server.cli import main

main()

"""The dashboards, by name."""

from __future__ import annotations

from typing import Final

from observability.dashboards import delivery, fleet, overview, rest, scaler
from observability.dashboards.panels import Json, Page

PAGES: Final[tuple[Page, ...]] = (overview.PAGE, delivery.PAGE, fleet.PAGE, rest.PAGE, scaler.PAGE)


def dashboards() -> dict[str, Json]:
    return {page.name: page.to_json() for page in PAGES}

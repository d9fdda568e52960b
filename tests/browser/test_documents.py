"""The API's descriptions as pages: offline, under the strict policy."""

from __future__ import annotations

import pytest
from playwright.sync_api import ViewportSize, expect

from tests.browser.conftest import Visitor
from tests.support.browser import DESKTOP, PHONE, Scheme
from tests.support.stack import Stack


@pytest.mark.slow
def test_swagger_shows_every_operation_without_asking_another_host(demo: Stack, visit: Visitor) -> None:
    reader = visit(demo)
    reader.open("/api/docs/")
    expect(reader.page.locator(".opblock")).to_have_count(18)
    expect(reader.page.get_by_role("heading", name="HunarMitra realtime")).to_be_visible()
    reader.page.locator(".opblock-summary-control").first.click()
    expect(reader.page.locator(".opblock.is-open .responses-table").first).to_be_visible()
    reader.screenshot("rest-document-desktop")


@pytest.mark.slow
def test_the_sockets_page_reads_well(demo: Stack, visit: Visitor) -> None:
    looks: list[tuple[ViewportSize, Scheme]] = [(DESKTOP, "light"), (PHONE, "dark")]
    for viewport, scheme in looks:
        reader = visit(demo, viewport, scheme)
        reader.open("/api/asyncapi/docs/")
        for frame in ("booking_status", "location_update", "notification", "reconnect", "mark_read"):
            expect(reader.page.get_by_role("heading", name=frame, exact=True).first).to_be_visible()
        expect(reader.page.get_by_role("row", name="4012 server is draining")).to_contain_text("after_ms")
        assert reader.accessibility_violations() == []
        assert reader.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        reader.screenshot(f"sockets-document-{viewport['width']}-{scheme}")

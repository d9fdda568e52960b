"""The documentation site, built strictly and opened from disk: complete, and without a request to anybody else."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import DESKTOP, PHONE, Scheme, accessibility_violations
from tests.support.surroundings import REPOSITORY, clean_environment

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """As `make docs` builds it; any warning of MkDocs fails."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [str(Path(sys.executable).with_name("mkdocs")), "build", "--strict", "--site-dir", str(folder)],
        cwd=REPOSITORY,
        env=clean_environment({"NO_MKDOCS_2_WARNING": "1"}),
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    return folder


@pytest.fixture
def page(browser: Browser, site: Path) -> Iterator[Page]:
    """What is wrong with it fails the test: messages of the console, and any request that leaves the disk."""
    context = browser.new_context(viewport=DESKTOP)
    page = context.new_page()
    problems: list[str] = []
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on(
        "request",
        lambda request: None if request.url.startswith(("file:", "data:", "blob:")) else problems.append(request.url),
    )
    yield page
    context.close()
    assert problems == []


class Links(HTMLParser):
    """What a page leads to, and where one can lead to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.targets: set[str] = set()
        self.anchors: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        known = dict(attrs)
        self.targets |= {str(known[name]) for name in ("href", "src") if known.get(name)}
        self.anchors |= {str(known[name]) for name in ("id", "name") if known.get(name)}


def test_every_link_of_every_page_leads_somewhere(site: Path) -> None:
    pages = {path: Links(path.read_text()) for path in site.rglob("*.html") if path.name != "404.html"}
    assert len(pages) > 30
    broken = []
    for path, links in pages.items():
        for target in links.targets:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = Path(os.path.normpath(path.parent / unquote(parts.path))) if parts.path else path
            wrong_anchor = file in pages and parts.fragment not in {"", "__skip", *pages[file].anchors}
            if not file.exists() or wrong_anchor:
                broken.append(f"{path.relative_to(site)}: {target}")
    assert broken == []


def test_nothing_on_it_is_loaded_from_elsewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        links = Links(path.read_text())
        loaded = [target for target in links.targets if "unpkg.com" in target or "googleapis" in target]
        assert loaded == [], path


def test_one_finds_the_way_by_the_navigation(site: Path, page: Page) -> None:
    page.goto((site / "index.html").as_uri())
    for tab, link, heading in (
        ("Start", "A web page", "A web page"),
        ("Client developers", "The API, frame by frame", "The realtime API"),
        ("Operating", "On Kubernetes", "Operations"),
        ("Watching it", "Every metric", "Metrics"),
    ):
        page.locator(".md-tabs").get_by_role("link", name=tab, exact=True).click()
        page.locator(".md-sidebar--primary").get_by_role("link", name=link, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_contain_text(heading)


def test_search_works_from_a_disk(site: Path, page: Page) -> None:
    page.goto((site / "index.html").as_uri())
    page.get_by_role("textbox", name="Search").click()
    page.get_by_role("textbox", name="Search").press_sequentially("resync_required")
    expect(page.locator(".md-search-result__item").first).to_be_visible(timeout=60_000)
    expect(page.locator(".md-search-result__list")).to_contain_text("The realtime API")


def test_screenshots_are_shown_and_a_phone_scrolls_only_down(site: Path, page: Page) -> None:
    page.set_viewport_size(PHONE)
    for name in ("index.html", "page.html", "configuration.html", "troubleshooting.html"):
        page.goto((site / name).as_uri())
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        unseen = (
            "[...document.images].filter((image) => image.complete && !image.naturalWidth).map((image) => image.src)"
        )
        assert page.evaluate(unseen) == [], name
    page.goto((site / "page.html").as_uri())
    assert page.locator("article img").count() >= 4


def test_it_is_readable_for_everybody(site: Path, page: Page) -> None:
    looks: list[tuple[str, Scheme]] = [("index.html", "light"), ("guide/javascript.html", "dark")]
    for name, scheme in looks:
        page.emulate_media(color_scheme=scheme)
        page.goto((site / name).as_uri())
        # The theme's script puts each copy button into a <nav> of its own, all with the same name.
        assert accessibility_violations(page, "landmark-unique") == [], (scheme, name)

"""Headers of the page's static files. Pure: the settings import it."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Final

_SERVICE_WORKER: Final = "/page/service-worker.js"
_MANIFEST: Final = "/page/manifest.webmanifest"


def add_static_headers(headers: MutableMapping[str, str], path: str, url: str) -> None:
    """Let the service worker, a static file, serve the document at ``/``. WhiteNoise calls this for each file."""
    if url.endswith(_SERVICE_WORKER):
        headers["Service-Worker-Allowed"] = "/"
    if url.endswith(_MANIFEST):
        headers["Content-Type"] = "application/manifest+json"

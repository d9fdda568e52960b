"""Content-Security-Policy of this service's pages: only its own files, no inline scripts or styles."""

from __future__ import annotations

from typing import Final

from django.http import HttpResponse

from hunarmitra.common.urls import split_url

_OWN: Final = "'self'"


def apply_policy(response: HttpResponse, *, tile_url: str = "") -> None:
    """Set ``Content-Security-Policy``; images may also come from the origin of ``tile_url``."""
    images = [_OWN, "data:"]
    if tile_url:
        parts = split_url(tile_url)
        images.append(f"{parts.scheme}://{parts.netloc}")
    directives = {
        "default-src": ["'none'"],
        "script-src": [_OWN],
        "style-src": [_OWN],
        "img-src": images,
        "connect-src": [_OWN],
        "manifest-src": [_OWN],
        "worker-src": [_OWN],
        "base-uri": ["'none'"],
        "form-action": [_OWN],
        "frame-ancestors": ["'none'"],
    }
    response["Content-Security-Policy"] = "; ".join(f"{name} {' '.join(words)}" for name, words in directives.items())

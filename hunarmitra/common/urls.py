"""Splitting URLs that may hold a password."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """As ``urlsplit``, whose errors quote the part before the host, password and all: these do not.

    Raises ValueError with the rest of a sentence that begins with the variable's name.
    """
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("has a host that no URL can have") from None

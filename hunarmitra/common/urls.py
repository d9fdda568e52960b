"""Splitting URLs that may hold a password."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit


def split_url(url: str) -> SplitResult:
    """Split a URL as ``urlsplit`` does, but without quoting the password in errors.

    Raises ValueError with the rest of a sentence that begins with the variable's name.
    """
    try:
        return urlsplit(url)
    except ValueError:
        raise ValueError("has an invalid host") from None

"""Requests of HTTP, each on a connection of its own. httpx reads all certificates for every client: here once."""

from __future__ import annotations

import ssl
from functools import partial
from typing import Any

import httpx

from tests.support.eventually import HANG

CONTEXT = ssl.create_default_context()


def request(method: str, url: str, **options: Any) -> httpx.Response:
    """Send a request as `httpx.request` does. The environment's proxies and credentials have no part in it."""
    return httpx.request(method, url, trust_env=False, verify=CONTEXT, **{"timeout": HANG, **options})


get = partial(request, "GET")
options = partial(request, "OPTIONS")
post = partial(request, "POST")
put = partial(request, "PUT")

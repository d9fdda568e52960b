"""Fixtures of the REST tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.support.api import Api
from tests.support.stack import Stack


@pytest.fixture
def nobody(stack: Stack) -> Iterator[Api]:
    """A client that has not signed in."""
    with closing(Api(stack.base_url)) as api:
        yield api

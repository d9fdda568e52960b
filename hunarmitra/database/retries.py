"""Repeat a transaction that was in another one's way (SQLSTATE 40001 and 40P01)."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable
from typing import Final, ParamSpec, TypeVar

from django.db import Error as DatabaseError
from django.db import connection

from hunarmitra.database.troubles import Trouble, describe, trouble_of

logger = logging.getLogger(__name__)

_P = ParamSpec("_P")
_T = TypeVar("_T")

MOST_TRIES: Final = 3
LONGEST_PAUSE_SECONDS: Final = 0.05
"""Before the second try, and twice that before the third; a random part of it, so that the two do not meet again."""


def whole_transaction(function: Callable[_P, _T]) -> Callable[_P, _T]:
    """Decorate a function that is one whole transaction: call it again after a conflict, three times at most.

    The last conflict is raised. In a transaction of the caller nothing is repeated: only the caller can.
    """

    @functools.wraps(function)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        for tried in range(1, MOST_TRIES):
            try:
                return function(*args, **kwargs)
            except DatabaseError as error:
                if connection.in_atomic_block or trouble_of(error) is not Trouble.CONFLICT:
                    raise
                logger.info("%s is repeated after %s", function.__qualname__, describe(error))
            time.sleep(random.uniform(0, LONGEST_PAUSE_SECONDS * tried))  # noqa: S311 - a pause, not a secret
        return function(*args, **kwargs)

    return call

"""What is made at its first use is made once."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from hunarmitra.common.first_use import made_once

THREADS = 4


def test_threads_that_come_at_once_get_one_object() -> None:
    together = threading.Barrier(THREADS)
    calls: list[int] = []
    first_inside, go_on = threading.Event(), threading.Event()

    @made_once
    def make(key: int) -> object:
        calls.append(key)
        first_inside.set()
        assert go_on.wait(30)
        return object()

    def use() -> object:
        together.wait(30)
        return make(1)

    with ThreadPoolExecutor(THREADS) as pool:
        found = [pool.submit(use) for _ in range(THREADS)]
        assert first_inside.wait(30)
        go_on.set()
        objects = {id(each.result(30)) for each in found}
    assert (len(objects), calls) == (1, [1])
    assert make(2) is not make(1)


def test_a_failure_is_tried_again() -> None:
    answers: Iterator[ValueError | str] = iter([ValueError("not yet"), "made"])

    @made_once
    def make() -> str:
        answer = next(answers)
        if isinstance(answer, ValueError):
            raise answer
        return answer

    with pytest.raises(ValueError, match="not yet"):
        make()
    assert [make(), make()] == ["made", "made"]

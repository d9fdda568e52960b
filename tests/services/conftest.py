"""Fixtures of the service tests: services and selectors are called in this process, on SQLite in memory.

Each test is rolled back. Messages that a service publishes on commit go to `layer`, if the test uses `committed()`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import channels.layers
import pytest

from hunarmitra.protocol.messages import Message
from tests.services.people import People

CommittedBlock = Callable[[], AbstractContextManager[Any]]


@pytest.fixture(autouse=True)
def _database(db: None) -> None:
    """Every service needs the database."""


class RecordingLayer:
    """A channel layer that records published messages, or raises `error`."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.error: Exception | None = None

    def publish(self, messages: Sequence[Message]) -> Sequence[int]:
        """Record the messages; return that one process listens to each."""
        if self.error is not None:
            raise self.error
        self.messages.extend(messages)
        return [1] * len(messages)

    def take(self) -> list[Message]:
        """Return the messages since the last call."""
        taken, self.messages = self.messages, []
        return taken


@pytest.fixture(autouse=True)
def layer(monkeypatch: pytest.MonkeyPatch) -> RecordingLayer:
    recording = RecordingLayer()
    monkeypatch.setattr(channels.layers, "get_channel_layer", lambda: recording)
    return recording


@pytest.fixture
def committed(django_capture_on_commit_callbacks: Any) -> CommittedBlock:
    """`with committed():` runs the services' on-commit functions at its end."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


@pytest.fixture
def people() -> People:
    """One user of each kind."""
    return People.make()

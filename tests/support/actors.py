"""Users of a test: created in a stack and signed in."""

from __future__ import annotations

import json
import secrets
import time
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import httpx

from tests.support import seed_users
from tests.support.api import Api
from tests.support.shell import Shell
from tests.support.stack import Stack

PATH_OF_A_BOOKING = ("confirmed", "on_the_way", "arrived", "completed")


@dataclass(frozen=True)
class User:
    id: str
    username: str
    password: str
    name: str
    role: str
    access: str = field(default="", repr=False)
    refresh: str = field(default="", repr=False)


def seed(stack: Stack, roles: list[str], *, sign_in: bool = False, shell: Shell | None = None) -> list[User]:
    """Create one user for each of `roles` (employer, worker, admin), with random names and passwords.

    With `sign_in` each user has the tokens of a first session. A `shell` of the stack spares the start of a process.
    """
    wanted = [
        {
            "username": f"{role}-{secrets.token_hex(4)}",
            "password": secrets.token_urlsafe(12),
            "name": f"{role.title()} {number} {secrets.token_hex(2)}",
            "role": role,
        }
        for number, role in enumerate(roles, 1)
    ]
    if shell is not None:
        return [User(**user) for user in shell.call(seed_users.create, users=wanted, sign_in=sign_in)]
    options = ["--sign-in"] if sign_in else []
    made = json.loads(stack.python("-m", "tests.support.seed_users", *options, stdin=json.dumps(wanted)))
    return [User(**user) for user in made]


class Actor(Api):
    """A REST client of one user."""

    def __init__(self, base_url: str, user: User) -> None:
        super().__init__(base_url)
        self.user = user
        self.id = user.id
        if user.access:
            self.token, self.refresh_token = user.access, user.refresh
            self.signed_in_at = time.monotonic()
        else:
            self.sign_in()

    def sign_in(self) -> None:
        """Start a new session."""
        self.signed_in_at = time.monotonic()
        with closing(Api.login(self.base_url, self.user.username, self.user.password)) as signed_in:
            self.token, self.refresh_token = signed_in.token, signed_in.refresh_token

    def at(self, base_url: str) -> Api:
        """Return a client of the same session for another http process."""
        return Api(base_url, token=self.token, refresh_token=self.refresh_token)


@dataclass(frozen=True)
class Actors:
    """The participants of a booking, and two other users."""

    employer: Actor
    worker: Actor
    admin: Actor
    stranger: Actor
    other_worker: Actor

    @classmethod
    def of(cls, stack: Stack) -> Actors:
        """Create five users and sign them in."""
        users = seed(stack, ["employer", "worker", "admin", "employer", "worker"], sign_in=True)
        return cls(*(Actor(stack.base_url, user) for user in users))

    def new_booking(self, status: str = "confirmed", **fields: Any) -> str:
        """Create a booking of the employer; return its id. Unless it is `requested`, the worker is assigned."""
        booking_id = str(self.employer.create_booking(**fields)["id"])
        if status == "requested":
            return booking_id
        self.admin.assign(booking_id, self.worker.id)
        if status == "cancelled":
            self.employer.status(booking_id, "cancelled")
            return booking_id
        for step in PATH_OF_A_BOOKING[1 : PATH_OF_A_BOOKING.index(status) + 1]:
            self.worker.status(booking_id, step)
        return booking_id

    def second_position_at_once(self, interval: float = 2) -> tuple[str, httpx.Response]:
        """Post two locations of a booking within `interval` seconds; return the booking's id and the second answer.

        If this machine needed more time for both, try again with a new booking.
        """
        while True:
            booking_id = self.new_booking("on_the_way")
            begun = time.monotonic()
            self.worker.track(booking_id, 28.6139, 77.2090)
            answer = self.worker.send("POST", f"tracking/{booking_id}/", {"lat": 1, "lng": 1})
            if answer.status_code == 429 or time.monotonic() - begun < interval:
                return booking_id, answer

    @property
    def everyone(self) -> tuple[Actor, ...]:
        return self.employer, self.worker, self.admin, self.stranger, self.other_worker

    def close(self) -> None:
        for actor in self.everyone:
            actor.close()

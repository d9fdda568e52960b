"""Options of the ws server: environment variables of :mod:`hunarmitra.config.environment`, each also a flag."""

from __future__ import annotations

import resource
from dataclasses import dataclass, fields
from pathlib import Path

SPARE_FILES = 256
"""Open files in addition to the connections: database, Redis, logs, and HTTP requests."""


class ServerOptionsError(Exception):
    """The server cannot run with these options. The message says what to change."""


@dataclass(frozen=True)
class ServerOptions:
    """Options of the server; each has the name of its variable ``WS_…`` in lower case. Times are in seconds."""

    max_connections: int
    unauthenticated_connections: int
    unauthenticated_per_address: int
    connects_per_second: float
    connect_burst: int
    concurrent_replays: int
    drain_settle: float
    drain_window: float
    grace: float
    close_timeout: float
    shed_min_age: float
    admin_host: str
    admin_port: int
    control_host: str
    control_port: int
    control_token_file: str

    def tokens(self) -> tuple[str, ...]:
        """Return the tokens that the control port accepts: one for each line, two during a rotation.

        The file is read at each call. Raises OSError if it cannot be read.
        """
        if not self.control_token_file:
            return ()
        lines = Path(self.control_token_file).read_text().split()
        return tuple(lines[:2])

    def check(self) -> None:
        """Check the options, and increase the soft limit of open files if the hard limit allows it.

        Raises :class:`ServerOptionsError`.
        """
        if self.grace < self.drain_settle + self.drain_window:
            raise ServerOptionsError(
                f"WS_GRACE ({self.grace:g} s) must be at least WS_DRAIN_SETTLE + WS_DRAIN_WINDOW "
                f"({self.drain_settle + self.drain_window:g} s), or a drain cuts clients off."
            )
        if self.control_token_file and not Path(self.control_token_file).is_file():
            raise ServerOptionsError(f"WS_CONTROL_TOKEN_FILE names {self.control_token_file}, which is not a file.")
        needed = self.max_connections + self.unauthenticated_connections + SPARE_FILES
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if soft < needed <= hard:
            resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))
        elif hard < needed:
            raise ServerOptionsError(
                f"WS_MAX_CONNECTIONS ({self.max_connections}) and WS_UNAUTHENTICATED_CONNECTIONS "
                f"({self.unauthenticated_connections}) need {needed} open files, but the limit is {hard}: raise it "
                "(ulimit -n) or lower WS_MAX_CONNECTIONS."
            )


OPTION_NAMES = tuple(item.name for item in fields(ServerOptions))


def with_backlog(endpoint: str, backlog: int) -> str:
    """Return the Twisted endpoint with an accept queue of ``backlog`` connections (at most ``somaxconn``).

    Twisted's default is 50. When more clients connect at once, the kernel drops the others, and they try again 1, 3,
    7 … seconds later.
    """
    listens = endpoint.startswith(("tcp:", "ssl:")) and ":backlog=" not in endpoint
    return f"{endpoint}:backlog={backlog}" if listens else endpoint

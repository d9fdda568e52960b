"""A real PostgreSQL cluster for the session, with fresh databases copied from a migrated template."""

from __future__ import annotations

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from tests.support import tools
from tests.support.ports import free_port
from tests.support.processes import Process

USER = "hunarmitra"
_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "max_connections": "200",
    "max_wal_size": "256MB",
    "shared_buffers": "64MB",
    "autovacuum": "on",
}
_DURABLE = {"fsync": "on", "synchronous_commit": "on", "full_page_writes": "on"}


class PostgresServer:
    """One cluster in a folder under /tmp. The path is short enough for a socket, and readable for the server's user.

    PostgreSQL does not run as root, so root runs it as `postgres`, or as `nobody` if there is no such user.
    `durable` is production's setting: commits wait for the disk.
    """

    def __init__(self, *, durable: bool = False, **settings: str) -> None:
        """`settings` are of postgresql.conf; they replace the tests' own, which are fast and not safe."""
        self.port = free_port()
        self.directory = Path(tempfile.mkdtemp(prefix="hm-pg-", dir="/tmp"))
        self._numbers = itertools.count(1)
        self._templates: dict[str, str] = {}
        account = _unprivileged_account()
        if account:
            os.chown(self.directory, account.pw_uid, account.pw_gid)
        self._account = account
        configuration = {**_SETTINGS, **(_DURABLE if durable else {}), **settings}
        options = [part for name, value in configuration.items() for part in ("-c", f"{name}={value}")]
        self.process = Process(
            [
                tools.postgres().postgres,
                "-D",
                self._data,
                "-k",
                self.directory,
                "-h",
                "127.0.0.1",
                "-p",
                str(self.port),
                *options,
            ],
            log_path=self.directory / "postgres.log",
            cwd=self.directory,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            ready=self._accepts,
        )

    def __enter__(self) -> Self:
        try:
            self._initialize()
            self.process.start()
        except BaseException:
            self.stop()
            raise
        return self

    def crash(self) -> None:
        """SIGKILL, as a node that fails; without the shared memory that would stay behind."""
        segment = (self._data / "postmaster.pid").read_text().splitlines()[6].split()[1]
        self.process.kill()
        subprocess.run(["ipcrm", "-m", segment], capture_output=True, check=False)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """Stop its processes with SIGSTOP meanwhile: connections stay open, and nothing answers.

        Each of its processes has a group of its own, so `Process.pause` would stop only the first.
        """
        first = self.process.pid
        os.kill(first, signal.SIGSTOP)  # so it starts no others
        children = [int(pid) for pid in Path(f"/proc/{first}/task/{first}/children").read_text().split()]
        try:
            for pid in children:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGSTOP)
            yield
        finally:
            for pid in [*children, first]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def execute(self, statement: str) -> list[tuple[Any, ...]]:
        """On the database `postgres`, outside a transaction; the rows, if there are any."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def configure(self, name: str, value: str) -> None:
        """Change a setting while the server runs, for open connections too."""
        self.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        self.execute("SELECT pg_reload_conf()")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        """Stop at once with PostgreSQL's signal for it; SIGKILL would leave its shared memory behind."""
        self.process.signal(signal.SIGQUIT)
        with contextlib.suppress(AssertionError, subprocess.TimeoutExpired):
            self.process.wait()
        self.process.kill()
        shutil.rmtree(self.directory, ignore_errors=True)

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}@127.0.0.1:{self.port}/{database}"

    def create_database(self, template: str | None = None) -> str:
        """Create a database, empty or as a copy of `template` (from `template_database`); return its URL."""
        name = f"test_{next(self._numbers)}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY").format(
            sql.Identifier(name), sql.Identifier(template or "template0")
        )
        self._administer(statement)
        return self.url(name)

    def drop_database(self, url: str) -> None:
        """Drop a database, even while connections are open."""
        name = url.rpartition("/")[2]
        self._administer(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def template_database(self, key: str, fill: Callable[[str], None]) -> str:
        """Return the name of a template that `fill(url)` has filled, once for each `key`."""
        if key not in self._templates:
            url = self.create_database()
            fill(url)
            self._templates[key] = url.rpartition("/")[2]
        return self._templates[key]

    @property
    def _data(self) -> Path:
        return self.directory / "data"

    def _initialize(self) -> None:
        command: list[str | Path] = [
            tools.postgres().initdb,
            "-D",
            self._data,
            "-U",
            USER,
            "--auth=trust",
            "--no-sync",
            "-E",
            "UTF8",
            "--locale=C",
            "--no-instructions",
        ]
        self._run(command)

    def _run(self, command: Sequence[str | Path]) -> None:
        """As the server's user."""
        account = self._account
        result = subprocess.run(
            command,
            cwd=self.directory,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        assert result.returncode == 0, f"{command[0]} failed:\n{result.stdout}{result.stderr}"

    def _accepts(self) -> bool:
        try:
            with psycopg.connect(self.url(), connect_timeout=2):
                return True
        except psycopg.OperationalError:
            return False

    def _administer(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute(statement)


class Replica(PostgresServer):
    """A streaming replica of `primary`, called `replica` by its primary."""

    def __init__(self, primary: PostgresServer, *, durable: bool = False, **settings: str) -> None:
        super().__init__(durable=durable, **settings)
        self._primary = primary

    def _initialize(self) -> None:
        source = f"host=127.0.0.1 port={self._primary.port} user={USER} application_name=replica"
        self._run([tools.postgres().basebackup, "-D", self._data, "-R", "-X", "stream", "-c", "fast", "-d", source])

    def promote(self) -> None:
        """Return when it is the primary."""
        assert self.execute("SELECT pg_promote(wait => true, wait_seconds => 60)") == [(True,)]


def _unprivileged_account() -> pwd.struct_passwd | None:
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres")
    except KeyError:
        return pwd.getpwnam("nobody")

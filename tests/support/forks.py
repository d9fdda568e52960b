"""Python programs in a stack's environment, as forks of one process that has imported the libraries.

The import of Django, its drivers and other libraries is most of what a management command costs. One process for each
test process imports them once, without the project's code and without settings, and forks for each program. The
program has its own environment, standard streams, `__main__` and exit code, as if `python` had started it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import importlib
import json
import os
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import types
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.support.processes import REPOSITORY, clean_environment

LIBRARIES: Final = (
    "channels_redis.core", "django.contrib.admin.options", "django.contrib.postgres.fields",
    "django.core.management.commands.migrate", "django.db.backends.postgresql.base", "django.db.backends.sqlite3.base",
    "django.test.signals", "dotenv", "jwt", "psycopg_pool", "redis.asyncio", "rest_framework.serializers",
)  # fmt: skip
"""None of them reads settings (Django would refuse that here), or a variable that stacks set, while it is imported."""
READ_AT_START: Final = ("COVERAGE_", "PYTHONPATH", "PYTHONWARNINGS", "PYTHONTRACEMALLOC")
"""Variables that the interpreter reads once: programs that have them are started by the interpreter."""


class Fork:
    """A running program; `pid`, `wait` and `kill` are those of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int.from_bytes(_received(connection))
        self._code: int | None = None

    def wait(self, timeout: float) -> int:
        if self._code is not None:
            return self._code
        self._connection.settimeout(timeout)
        try:
            self._code = int.from_bytes(_received(self._connection), signed=True)
        except TimeoutError:
            raise subprocess.TimeoutExpired(str(self.pid), timeout) from None
        self._connection.close()
        return self._code

    def kill(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self._connection.close()


class Forks:
    """The process that forks. It ends with the test process."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="hm-forks-")
        self._address = f"{self._folder.name}/socket"
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self._address)
            listener.listen(64)
            number = listener.fileno()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.forks", str(number)],
                cwd=REPOSITORY,
                env=clean_environment(),
                stdin=subprocess.PIPE,
                pass_fds=[number],
                start_new_session=True,
            )
        atexit.register(self._end)

    def _end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def start(self, arguments: Sequence[str], environment: Mapping[str, str], streams: Sequence[int]) -> Fork:
        connection = socket.socket(socket.AF_UNIX)
        connection.connect(self._address)
        request = json.dumps({"arguments": list(arguments), "environment": dict(environment)}).encode()
        socket.send_fds(connection, [len(request).to_bytes(4)], streams)
        connection.sendall(request)
        return Fork(connection)


_forks: Final = functools.cache(Forks)


def start(
    arguments: Sequence[str], environment: Mapping[str, str], streams: tuple[int, int, int]
) -> Fork | subprocess.Popen[Any]:
    """Start `python ARGUMENTS` (a script, `-m MODULE` or `-c PROGRAM`) with three files as its standard streams."""
    environment = clean_environment(environment)
    if not any(name.startswith(READ_AT_START) for name in environment):
        return _forks().start(arguments, environment, streams)
    stdin, stdout, stderr = streams
    return subprocess.Popen(
        [sys.executable, *arguments],
        cwd=REPOSITORY,
        env=environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )


def run(
    arguments: Sequence[str], environment: Mapping[str, str], *, stdin: str, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `python ARGUMENTS` to its end. Raises subprocess.TimeoutExpired after it was killed."""
    with (
        tempfile.TemporaryFile("w+") as given,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as err,
    ):
        given.write(stdin)
        given.seek(0)
        running = start(arguments, environment, (given.fileno(), out.fileno(), err.fileno()))
        try:
            code = running.wait(timeout)
        except subprocess.TimeoutExpired:
            running.kill()
            if isinstance(running, subprocess.Popen):
                running.wait()
            raise
        out.seek(0)
        err.seek(0)
        return subprocess.CompletedProcess(list(arguments), code, out.read(), err.read())


def _received(connection: socket.socket, size: int = 4) -> bytes:
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data))
        assert more, "the process that forks has ended"
        data += more
    return data


# The process that forks


def serve(listener: socket.socket) -> None:
    """Fork for each connection, until the test process ends. In a fork, run the program and return.

    ``running`` has the read end of a pipe that ends when its program does.
    """
    running: dict[int, tuple[int, socket.socket]] = {}
    while True:
        ready, _, _ = select.select([0, listener.fileno(), *running], [], [])
        if 0 in ready:
            return
        for ended in running.keys() & ready:
            pid, connection = running.pop(ended)
            os.close(ended)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            with connection, contextlib.suppress(OSError):
                connection.sendall(code.to_bytes(4, signed=True))
        if listener.fileno() not in ready:
            continue
        connection, _ = listener.accept()
        header, streams, _, _ = socket.recv_fds(connection, 4, 3)
        request = json.loads(_received(connection, int.from_bytes(header)))
        end, held = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(end)
            os.set_inheritable(held, True)  # it stays open if the program becomes another one
            listener.close()
            for ended, (_, other) in running.items():
                os.close(ended)
                other.close()
            connection.close()
            _become(request["environment"], streams)
            _run(request["arguments"])
            return
        for opened in (held, *streams):
            os.close(opened)
        running[end] = pid, connection
        with contextlib.suppress(OSError):
            connection.sendall(pid.to_bytes(4))


def _become(environment: Mapping[str, str], streams: Sequence[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)


def _run(arguments: list[str]) -> None:
    kind, *rest = arguments
    if kind == "-m":
        sys.argv = rest
        runpy.run_module(rest[0], run_name="__main__", alter_sys=True)
    elif kind == "-c":
        sys.argv = ["-c", *rest[1:]]
        main = sys.modules["__main__"] = types.ModuleType("__main__")
        exec(compile(rest[0], "<string>", "exec"), main.__dict__)  # noqa: S102 - a program of the test
    else:
        sys.argv = arguments
        runpy.run_path(kind, run_name="__main__")


if __name__ == "__main__":
    for library in LIBRARIES:
        importlib.import_module(library)
    serve(socket.socket(fileno=int(sys.argv[1])))

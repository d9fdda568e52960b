"""Python programs in a stack's environment, as forks of one process that has imported the libraries.

The import of Django, its drivers and other libraries is most of what a management command costs, and half of what the
start of a server does. One process for each test process imports them once, without the project's code and without
settings, and forks for each program. The program has its own environment, standard streams, session, `__main__` and
exit code, as if `python` had started it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import importlib
import io
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

from tests.support.eventually import HANG
from tests.support.surroundings import REPOSITORY, clean_environment

LIBRARIES: Final = (
    "autobahn.twisted.websocket", "channels_redis.core", "django.contrib.admin.options",
    "django.contrib.postgres.fields", "django.core.management.commands.migrate", "django.db.backends.postgresql.base",
    "django.db.backends.sqlite3.base", "django.test.signals", "dotenv", "gunicorn.app.wsgiapp",
    "gunicorn.workers.gthread", "httpx", "jwt", "psycopg_pool", "redis.asyncio", "rest_framework.serializers",
    "service_identity", "twisted.internet.endpoints", "twisted.web.http", "websockets.server",
)  # fmt: skip
"""None of them reads settings (Django would refuse that here), or a variable that stacks set, while it is imported.
None starts a thread, or chooses Twisted's reactor."""
READ_AT_START: Final = (
    "COVERAGE_", "PYTHONDEVMODE", "PYTHONHASHSEED", "PYTHONMALLOC", "PYTHONPATH", "PYTHONTRACEMALLOC", "PYTHONWARNINGS",
)  # fmt: skip
"""Variables that the interpreter reads once: programs that have them are started by the interpreter."""


class Fork:
    """A running program; `pid`, `poll`, `wait` and `kill` are those of `subprocess.Popen`."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self.pid = int.from_bytes(_received(connection))
        self._code: int | None = None

    def poll(self) -> int | None:
        try:
            return self.wait(0)
        except subprocess.TimeoutExpired:
            return None

    def wait(self, timeout: float) -> int:
        if self._code is None:
            ended = select.poll()
            ended.register(self._connection, select.POLLIN)
            if not ended.poll(1000 * timeout):
                raise subprocess.TimeoutExpired(str(self.pid), timeout)
            self._code = int.from_bytes(_received(self._connection), signed=True)
            self._connection.close()
        return self._code

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)


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

    def end(self) -> None:
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


def _end() -> None:
    if _forks.cache_info().currsize:
        _forks().end()


atexit.register(_end)  # at the import: the servers, which others end, end before it


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
            running.wait(HANG)
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

    ``running`` has the connection of each program by its pid. A byte in the pipe says that one may have ended.
    """
    running: dict[int, socket.socket] = {}
    pipe = os.pipe()
    for end in pipe:
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(pipe[1])
    while True:
        ready, _, _ = select.select([0, listener.fileno(), pipe[0]], [], [])
        if 0 in ready:
            return
        if pipe[0] in ready:
            os.read(pipe[0], 4096)
            _tell_of_ended(running)
        if listener.fileno() not in ready:
            continue
        connection, _ = listener.accept()
        header, streams, _, _ = socket.recv_fds(connection, 4, 3)
        request = json.loads(_received(connection, int.from_bytes(header)))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for opened in (listener, connection, *running.values()):
                opened.close()
            for end in pipe:
                os.close(end)
            _become(request["environment"], streams)
            _run(request["arguments"])
            return
        for stream in streams:
            os.close(stream)
        running[pid] = connection
        with contextlib.suppress(OSError):
            connection.sendall(pid.to_bytes(4))


def _tell_of_ended(running: dict[int, socket.socket]) -> None:
    for pid in list(running):
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            with running.pop(pid) as connection, contextlib.suppress(OSError):
                connection.sendall(os.waitstatus_to_exitcode(status).to_bytes(4, signed=True))


def _become(environment: Mapping[str, str], streams: Sequence[int]) -> None:
    os.setsid()
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(environment)
    if environment.get("PYTHONUNBUFFERED"):
        for output in (sys.stdout, sys.stderr):
            assert isinstance(output, io.TextIOWrapper)
            output.reconfigure(line_buffering=True)


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
    gc.freeze()  # what is shared stays shared
    serve(socket.socket(fileno=int(sys.argv[1])))

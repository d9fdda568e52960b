"""A right that ends while a socket joins closes it, wherever in the join it ends, on every pod, within 2 s."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager

import pytest

from hunarmitra.accounts.services import user_set_active, user_set_staff
from tests.support.actors import Actor, seed
from tests.support.clock import steady
from tests.support.eventually import eventually_async
from tests.support.faults import JOIN_POINTS
from tests.support.postgres import PostgresServer
from tests.support.scene import Arrival, Scene, off_loop, scene
from tests.support.shell import Shell
from tests.support.sockets import Socket

pytestmark = pytest.mark.usefixtures("over_slowly")

LIMIT = 2.0
"""Seconds from the answer to the user who ended the right until every pod has closed the socket; while a test
holds a socket at a checkpoint, nothing can."""


class Ending:
    """The four kinds of rights: whose socket it is, how the right ends, and how the next test gets it back."""

    def __init__(self, system: Scene, shell: Shell) -> None:
        self._shell = shell
        self._admin = system.actors.admin
        self._worker = system.actors.worker
        self._other_worker = system.actors.other_worker
        base_url = system.stack.base_url
        self._employer, self._supporter = (
            Actor(base_url, user) for user in seed(system.stack, ["employer", "employer"])
        )
        self._make_staff(True)
        self.new_booking()

    def new_booking(self) -> None:
        self.booking_id = str(self._employer.create_booking()["id"])
        self._admin.assign(self.booking_id, self._worker.id)

    def close(self) -> None:
        self._employer.close()
        self._supporter.close()

    def _make_staff(self, staff: bool) -> None:
        self._shell.call(user_set_staff, user_id=self._supporter.id, staff=staff)

    def whose(self, kind: str) -> Actor:
        return {"staff": self._supporter, "assignment": self._worker}.get(kind, self._employer)

    def end(self, kind: str) -> None:
        if kind == "session":
            self._employer.logout()
        elif kind == "user":
            self._shell.call(user_set_active, user_id=self._employer.id, active=False)
        elif kind == "staff":
            self._make_staff(False)
        else:
            self._admin.assign(self.booking_id, self._other_worker.id)

    @contextmanager
    def restored(self, kind: str) -> Iterator[None]:
        try:
            yield
        finally:
            if kind == "session":
                self._employer.sign_in()
            elif kind == "user":
                self._shell.call(user_set_active, user_id=self._employer.id, active=True)
                self._employer.sign_in()
            elif kind == "staff":
                self._make_staff(True)
            else:
                self._admin.assign(self.booking_id, self._worker.id)


CODES = {"session": 4001, "user": 4001, "staff": 4003, "assignment": 4003}


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory, postgres_server: PostgresServer) -> Iterator[Scene]:
    with scene(tmp_path_factory.mktemp("revocations"), postgres_server) as running:
        yield running


@pytest.fixture(scope="module")
def ending(system: Scene) -> Iterator[Ending]:
    with Shell(system.stack) as shell:
        rights = Ending(system, shell)
        yield rights
        rights.close()


@pytest.fixture(scope="module")
def other_booking(system: Scene) -> str:
    return system.actors.new_booking("on_the_way")


async def both_closed(sockets: list[Socket], code: int, since: float) -> None:
    for socket in sockets:
        closed, _ = await socket.closed(LIMIT)
        assert closed == code, socket.frames
        assert socket.frames[-1]["type"] == "error"
    assert steady() - since < LIMIT


@pytest.mark.parametrize("kind", CODES)
@pytest.mark.parametrize("point", JOIN_POINTS)
async def test_a_right_that_ends_during_a_join_closes_the_connection_on_both_pods(
    system: Scene, ending: Ending, other_booking: str, point: str, kind: str
) -> None:
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0, 1), stack)
        faults = [system.faults.arm(point) for _ in range(2)]
        with ending.restored(kind):
            who = ending.whose(kind)
            sockets = [
                await stack.enter_async_context(await system.watch(ending.booking_id, pod=pod, who=who))
                for pod in (0, 1)
            ]
            for fault in faults:
                await fault.reached_by_one()
            await off_loop(ending.end, kind)
            await arrival.wait()
            for fault in faults:
                fault.release()
            await both_closed(sockets, CODES[kind], steady())
            assert not any(socket.seqs() for socket in sockets)


@pytest.mark.parametrize("point", JOIN_POINTS)
async def test_a_right_given_back_during_the_join_keeps_the_connection(
    system: Scene, ending: Ending, other_booking: str, point: str
) -> None:
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0,), stack)
        fault = system.faults.arm(point)
        with ending.restored("assignment"):
            worker = ending.whose("assignment")
            socket = await stack.enter_async_context(await system.watch(ending.booking_id, who=worker))
            await fault.reached_by_one()
            await off_loop(ending.end, "assignment")
        await arrival.wait()
        fault.release()
        await socket.joined()
        newest = await off_loop(system.actors.admin.booking, ending.booking_id)
        await off_loop(worker.status, ending.booking_id, "on_the_way")
        await socket.until_seq(newest["seq"] + 1)
        # The other tests reassign the booking, which only one that nobody set out for allows.
        ending.new_booking()


@pytest.mark.parametrize("kind", CODES)
async def test_a_right_that_ends_closes_open_connections_on_both_pods_and_no_other(
    system: Scene, ending: Ending, kind: str
) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(ending.restored(kind))
        others: list[Socket] = []
        sockets: list[Socket] = []
        for who, opened in ((system.actors.admin, others), (ending.whose(kind), sockets)):
            for pod in (0, 1):
                opened.append(await stack.enter_async_context(await system.watch(ending.booking_id, pod=pod, who=who)))
                await opened[-1].joined()
        await off_loop(ending.end, kind)
        await both_closed(sockets, CODES[kind], steady())
        for socket in others:
            await socket.synchronized()


@pytest.mark.parametrize("kind", ["session", "user"])
@pytest.mark.parametrize(
    "point",
    ["accepted, not registered", "registered, not subscribed", "user read, not the notifications", "read, not live"],
)
async def test_a_right_that_ends_during_a_join_closes_the_notifications_too(
    system: Scene, ending: Ending, other_booking: str, point: str, kind: str
) -> None:
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0, 1), stack)
        faults = [system.faults.arm(point) for _ in range(2)]
        with ending.restored(kind):
            token = ending.whose(kind).token
            urls = [system.stack.notifications_url(pod) for pod in (0, 1)]
            sockets = [await stack.enter_async_context(await Socket.connect(url, token=token)) for url in urls]
            for fault in faults:
                await fault.reached_by_one()
            await off_loop(ending.end, kind)
            await arrival.wait()
            for fault in faults:
                fault.release()
            await both_closed(sockets, CODES[kind], steady())


async def test_a_session_that_ends_while_its_connection_tries_another_is_not_missed(
    system: Scene, ending: Ending
) -> None:
    """The new token turns out to be revoked, so the socket keeps its old session, which ended meanwhile."""
    async with AsyncExitStack() as stack:
        stack.enter_context(ending.restored("session"))
        old = ending.whose("session")
        revoked = Actor(system.stack.base_url, old.user)
        revoked.logout()
        socket = await stack.enter_async_context(await system.watch(ending.booking_id, who=old))
        await socket.joined()
        witness = await stack.enter_async_context(await system.watch(ending.booking_id, who=old))
        await witness.joined()
        fault = system.faults.arm("reidentified, not checked")
        await socket.send({"type": "authenticate", "token": revoked.token})
        await fault.reached_by_one()
        await off_loop(ending.end, "session")
        assert (await witness.closed())[0] == 4001
        fault.release()
        await both_closed([socket], 4001, steady())
        revoked.close()


async def test_revocations_are_seen_after_the_database_went_back(system: Scene, ending: Ending) -> None:
    """A restored backup counts them from a lower number; the processes remember a higher one."""

    async def logout_closes() -> None:
        async with AsyncExitStack() as stack:
            stack.enter_context(ending.restored("session"))
            who = ending.whose("session")
            sockets = [
                await stack.enter_async_context(await system.watch(ending.booking_id, pod=pod, who=who))
                for pod in (0, 1)
            ]
            for socket in sockets:
                await socket.joined()
            await off_loop(ending.end, "session")
            await both_closed(sockets, 4001, steady())

    def notices() -> list[int]:
        return [process.log_text().count("revocations went back") for process in system.stack.ws]

    before = notices()

    def noticed() -> bool:
        return all(now > then for now, then in zip(notices(), before, strict=True))

    await logout_closes()
    await logout_closes()
    system.sql("DELETE FROM realtime_revocation WHERE number > 1")
    system.sql("UPDATE realtime_counter SET value = 1 WHERE name = 'revocation'")
    await eventually_async(noticed, 30, "both processes noticed")
    await logout_closes()


@pytest.mark.parametrize("over_slowly", ["endpoint"], indirect=True)
@pytest.mark.parametrize("kind", ["session", "user"])
async def test_a_session_that_ends_while_a_shared_connection_is_checked_is_not_missed(
    system: Scene, ending: Ending, other_booking: str, kind: str
) -> None:
    async with AsyncExitStack() as stack:
        arrival = await Arrival.at(system, other_booking, (0,), stack)
        stack.enter_context(ending.restored(kind))
        fault = system.faults.arm("registered, session not read")
        url, token = system.stack.shared_url(), ending.whose(kind).token
        connection = await stack.enter_async_context(await Socket.connect(url, token=token))
        await fault.reached_by_one()
        await off_loop(ending.end, kind)
        await arrival.wait()
        fault.release()
        await both_closed([connection], 4001, steady())
        assert [frame["type"] for frame in connection.frames] == ["error"]


@pytest.mark.parametrize("over_slowly", ["endpoint"], indirect=True)
@pytest.mark.parametrize("during", [True, False], ids=["while-it-is-checked", "open"])
async def test_a_staff_role_that_ends_ends_the_live_channel(system: Scene, ending: Ending, *, during: bool) -> None:
    async with AsyncExitStack() as stack:
        stack.enter_context(ending.restored("staff"))
        url, token = system.stack.shared_url(), ending.whose("staff").token
        connection = await stack.enter_async_context(await Socket.connect(url, token=token))
        fault = system.faults.arm("watch registered, role not read") if during else None
        await connection.send({"type": "subscribe", "channel": "live"})
        if fault is not None:
            await fault.reached_by_one()
        else:
            await connection.next_of("live_page")
        await off_loop(ending.end, "staff")
        frame = await connection.next_of("unsubscribed", LIMIT)
        assert (frame["channel"], frame["code"]) == ("live", 4003)
        if fault is not None:
            fault.release()
        assert await connection.synchronized() == []

"""The users of the bundled Redis, in a real Redis: each process may do its own work, and nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError
from redis.retry import Retry

from tests.chart.rendering import Object, containers, of_kind, pod_templates, render
from tests.support import tools
from tests.support.actors import Actors
from tests.support.eventually import eventually_async
from tests.support.live import join
from tests.support.metrics import Scrape
from tests.support.ports import free_port
from tests.support.postgres import PostgresServer
from tests.support.processes import Process
from tests.support.services import OwnServer
from tests.support.stack import distributed_stack

HOST = "127.0.0.1"
ADMIN = ("--user", "admin", "reset", "on", ">admin", "~*", "&*", "+@all")
"""The chart has no such user: the test asks Redis what it refused."""


class BundledRedis:
    """The bundled Redis as the chart starts it, and the URLs of its Secret."""

    def __init__(self, directory: Path) -> None:
        objects = render("minimal")
        secret = of_kind(objects, "Secret")["shop-hunarmitra"]["stringData"]
        [container] = of_kind(objects, "StatefulSet")["shop-hunarmitra-redis"]["spec"]["template"]["spec"]["containers"]
        self.port = free_port()
        command = [str(tools.redis_server()), *(self._filled_in(part, secret) for part in container["command"][1:])]
        command[command.index("/tmp")] = str(directory)
        bind = command.index("--bind")
        command[bind + 1 : bind + 3] = [HOST]
        self.process = Process(
            [*command, "--port", str(self.port), *ADMIN], log_path=directory / "redis.log", ready=self._answers
        )
        place = "@shop-hunarmitra-redis:6379/"
        self.urls = {
            user: secret[key].replace(place, f"@{HOST}:{self.port}/")
            for user, key in (("default", "REDIS_URL"), ("http", "REDIS_URL_HTTP"), ("ws", "REDIS_URL_WS"))
        }

    @staticmethod
    def _filled_in(part: str, secret: dict[str, str]) -> str:
        """What Kubernetes makes of `$(NAME)`."""
        for name, value in secret.items():
            part = part.replace(f"$({name})", value)
        assert "$(" not in part
        return part

    def _answers(self) -> bool:
        try:
            with self.client("admin") as client:
                return bool(client.ping())
        except RedisError:
            return False

    def client(self, user: str) -> Redis:
        if user == "admin":
            return Redis(host=HOST, port=self.port, username="admin", password="admin")
        return Redis.from_url(self.urls[user])

    def refused(self) -> list[dict[str, Any]]:
        with self.client("admin") as client:
            return list(client.acl_log())


@pytest.fixture(scope="module")
def redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BundledRedis]:
    server = BundledRedis(tmp_path_factory.mktemp("redis"))
    server.process.start()
    yield server
    server.process.stop()


BOOKING = "asgi__group__booking.5f0b8a5e-0000-4000-8000-000000000001"
USER = "asgi__group__user.5f0b8a5e-0000-4000-8000-000000000001"
CONTROL = "asgi__group__control"
HEARTBEAT = "hunarmitra__heartbeat__1"
FOREIGN = "news"
RIGHTS: dict[str, dict[str, set[str]]] = {
    "http": {"PUBLISH": {BOOKING, USER, CONTROL}, "SUBSCRIBE": set()},
    "ws": {"PUBLISH": {BOOKING, HEARTBEAT}, "SUBSCRIBE": {BOOKING, USER, CONTROL, HEARTBEAT}},
    "default": {
        "PUBLISH": {BOOKING, USER, CONTROL, HEARTBEAT},
        "SUBSCRIBE": {BOOKING, USER, CONTROL, HEARTBEAT},
    },
}


@contextmanager
def refused_unless(permitted: bool) -> Iterator[None]:
    if permitted:
        yield
    else:
        with pytest.raises(NoPermissionError):
            yield


@pytest.mark.parametrize("user", RIGHTS)
@pytest.mark.parametrize("channel", [BOOKING, USER, CONTROL, HEARTBEAT, FOREIGN])
def test_each_user_reaches_the_channels_of_its_processes(redis: BundledRedis, user: str, channel: str) -> None:
    with redis.client(user) as client:
        with refused_unless(channel in RIGHTS[user]["PUBLISH"]):
            client.publish(channel, b"")
        with refused_unless(channel in RIGHTS[user]["SUBSCRIBE"]), client.pubsub() as subscription:
            subscription.subscribe(channel)
            message = subscription.get_message(timeout=30)
            assert message is not None
            assert message["type"] == "subscribe"


FORBIDDEN = (
    "SET a b", "GET a", "KEYS *", "FLUSHALL", "EVAL return 0", "PSUBSCRIBE *", "PUBSUB CHANNELS", "INFO", "MONITOR",
    "SHUTDOWN", "CONFIG GET *", "CLIENT LIST", "CLIENT KILL ID 1", "ACL LIST", "REPLICAOF NO ONE",
)  # fmt: skip


@pytest.mark.parametrize("user", RIGHTS)
@pytest.mark.parametrize("command", FORBIDDEN)
def test_nobody_may_do_more(redis: BundledRedis, user: str, command: str) -> None:
    with redis.client(user) as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.mark.parametrize("user", RIGHTS)
@pytest.mark.parametrize("key", ["hunarmitra:limit:auth:1", "other"])
def test_http_alone_has_keys_and_only_those_of_the_rate_limits(redis: BundledRedis, user: str, key: str) -> None:
    with redis.client(user) as client, refused_unless(user != "ws" and key != "other"):
        client.set(key, "1", px=1000)
        client.get(key)


@pytest.mark.parametrize("user", RIGHTS)
def test_nobody_gets_in_without_the_password(redis: BundledRedis, user: str) -> None:
    wrong: list[dict[str, Any]] = [
        {},
        {"username": user, "password": "wrong"},
        {"username": "hunarmitra", "password": ""},
    ]
    for credentials in wrong:
        client = Redis(host=HOST, port=redis.port, retry=Retry(NoBackoff(), 0), **credentials)
        with client, pytest.raises(AuthenticationError):
            client.ping()


def redis_url_keys(objects: list[Object]) -> dict[str, set[str]]:
    """The key of the Secret from which the pods of each component take REDIS_URL."""
    found: dict[str, set[str]] = {}
    for name, pod in pod_templates(objects):
        for container in containers(pod):
            for variable in container.get("env", []):
                if variable["name"] == "REDIS_URL":
                    key = variable["valueFrom"]["secretKeyRef"]["key"]
                    found.setdefault(name.rpartition("-")[2], set()).add(key)
    return found


def users_of(objects: list[Object]) -> list[str]:
    [container] = of_kind(objects, "StatefulSet")["shop-hunarmitra-redis"]["spec"]["template"]["spec"]["containers"]
    command = container["command"]
    return [command[place + 1] for place, part in enumerate(command) if part == "--user"]


def test_ws_pods_are_another_user_than_all_others() -> None:
    keys = redis_url_keys(render("minimal"))
    assert keys.pop("ws") == {"REDIS_URL_WS"}
    assert {"http", "relay"} <= set(keys)
    assert set().union(*keys.values()) == {"REDIS_URL_HTTP"}
    assert users_of(render("minimal")) == ["default", "http", "ws"]


def test_a_secret_of_your_own_has_one_url_unless_you_name_others() -> None:
    assert set().union(*redis_url_keys(render("production")).values()) == {"REDIS_URL"}
    keys = redis_url_keys(render("production", "redis.wsUrlKey=REDIS_WS", "redis.httpUrlKey=REDIS_HTTP"))
    assert keys.pop("ws") == {"REDIS_WS"}
    assert set().union(*keys.values()) == {"REDIS_HTTP"}


def test_a_bundled_redis_with_a_secret_of_your_own_needs_no_new_key_of_it() -> None:
    objects = render("minimal", "secrets.existingSecret=mine", "secrets.secretKey=")
    assert users_of(objects) == ["default"]
    assert set().union(*redis_url_keys(objects).values()) == {"REDIS_URL"}


def test_pods_of_the_release_before_find_their_url_as_it_was() -> None:
    """During an upgrade they start again with the new Secret, and read the old key."""
    secret = of_kind(render("minimal"), "Secret")["shop-hunarmitra"]["stringData"]
    assert secret["REDIS_URL"] == f"redis://:{secret['REDIS_PASSWORD']}@shop-hunarmitra-redis:6379/0"
    passwords = [secret[key] for key in ("REDIS_PASSWORD", "REDIS_PASSWORD_HTTP", "REDIS_PASSWORD_WS")]
    assert len(set(passwords)) == 3


async def test_each_kind_of_process_does_its_work_as_its_user(
    redis: BundledRedis, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """http, relay and ws processes, with the URLs that the chart gives them; the comparison comes once a minute."""
    settings: dict[str, Any] = {
        "HUB_COMPARISON_INTERVAL": "60",
        "HUB_REVOCATION_INTERVAL": "60",
        "TRACKING_MIN_INTERVAL": "0",
    }
    settings |= {"redis_url": redis.urls["http"], "ws_redis_url": redis.urls["ws"]}
    with redis.client("admin") as admin:
        admin.acl_log_reset()
    with distributed_stack(tmp_path, postgres_server, **settings) as stack, closing(Actors.of(stack)) as people:
        booking = people.new_booking("confirmed")
        employers = [await join(stack.booking_url(booking, pod), people.employer.token) for pod in (0, 1)]
        notifications = await join(stack.notifications_url(), people.employer.token)
        async with await join(stack.booking_url(booking), people.worker.token) as worker:
            people.worker.status(booking, "on_the_way")
            for socket in [*employers, worker]:
                assert (await socket.next_of("booking_status"))["status"] == "on_the_way"
            await notifications.next_of("notification")
            await worker.send({"type": "location", "lat": 28.5, "lng": 77.5})
            for socket in employers:
                assert (await socket.next_of("location_update"))["lat"] == 28.5
            with psycopg.connect(stack.environment["DATABASE_URL"], autocommit=True) as database:
                database.execute("UPDATE bookings_booking SET seq = seq + 1 WHERE id = %s", [booking])
                database.execute(
                    "INSERT INTO bookings_bookingevent"
                    " (booking_id, seq, event_type, status, actor, clears_location, created_at)"
                    " SELECT id, seq, 'booking_assigned', status, 'Crashed', false, now() - interval '1 minute'"
                    " FROM bookings_booking WHERE id = %s",
                    [booking],
                )
            for socket in employers:
                assert (await socket.next_of("booking_status"))["actor"] == "Crashed"  # through the relay
        people.employer.logout()
        for socket in [*employers, notifications]:
            assert (await socket.closed())[0] == 4001
        ready = await asyncio.to_thread(httpx.get, f"{stack.base_url}/readyz", trust_env=False, timeout=30)
        assert ready.status_code == 200, ready.text
        assert "does not permit" not in stack.log_text()
        assert "refuses" not in stack.log_text()
    assert [entry for entry in redis.refused() if "client|setinfo" not in str(entry)] == []


async def test_a_ws_process_that_may_not_subscribe_serves_and_tells_it(
    redis: BundledRedis, tmp_path: Path, postgres_server: PostgresServer
) -> None:
    """It has the URL of http, as after a mistake in a Secret. Events arrive by the comparison."""
    settings: dict[str, Any] = {"ws": 0, "HUB_COMPARISON_INTERVAL": "1", "redis_url": redis.urls["http"]}
    with (
        distributed_stack(tmp_path, postgres_server, **settings) as stack,
        OwnServer(tmp_path, {**stack.environment, "SERVICES": "ws"}) as server,
        closing(Actors.of(stack)) as people,
    ):
        booking = people.new_booking("confirmed")
        async with await join(f"{server.ws_url}/ws/bookings/{booking}/", people.employer.token) as socket:
            people.worker.status(booking, "on_the_way")
            assert (await socket.next_of("booking_status"))["status"] == "on_the_way"

            async def is_counted() -> bool:
                scrape = await asyncio.to_thread(Scrape, f"{server.admin_url}/metrics")
                return scrape("hunarmitra_ws_subscriber_refusals_total", refused="subscribe") >= 5

            await eventually_async(is_counted, 60, "the metric counts every attempt")
            ready = await asyncio.to_thread(httpx.get, f"{server.admin_url}/readyz", trust_env=False, timeout=30)
            assert ready.status_code == 200
        told = [line for line in server.log_text().splitlines() if "does not permit" in line]
        assert len(told) == 1
        assert "+subscribe +unsubscribe +publish &asgi__group__* &hunarmitra__heartbeat__*" in told[0]

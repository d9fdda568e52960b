"""Functions that run inside a pod, which does not have the tests.

`Release.call` sends them as source (see `tests.support.remote`), so each imports in its body all that it uses.
"""

from __future__ import annotations

from typing import Any


def signal_server(name: str) -> None:
    """Signal the first process of each container of this pod, and not its children.

    Needs a shared process namespace (`Release.killable`); there process 1 is the pod's pause process.
    """
    import os
    import signal
    from pathlib import Path

    for folder in Path("/proc").iterdir():
        if (
            folder.name.isdigit()
            and int(folder.name) not in (1, os.getpid())
            and "PPid:\t0\n" in (folder / "status").read_text()
        ):
            os.kill(int(folder.name), getattr(signal, name))


def hold_up_server(seconds: float, stopped: float, running: float) -> None:
    """Stop the server of this pod again and again for a moment, as a process does that waits for a core.

    Needs a shared process namespace, like `signal_server`.
    """
    import os
    import signal
    import time
    from pathlib import Path

    [server] = [
        int(folder.name)
        for folder in Path("/proc").iterdir()
        if folder.name.isdigit()
        and int(folder.name) not in (1, os.getpid())
        and "PPid:\t0\n" in (folder / "status").read_text()
    ]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        os.kill(server, signal.SIGSTOP)
        try:
            time.sleep(stopped)
        finally:
            os.kill(server, signal.SIGCONT)
        time.sleep(running)


def look_inside(absent: list[str]) -> dict[str, Any]:
    """Return what an image holds and allows: the modules of `absent` that are installed, compilers, size, rights."""
    import importlib.util
    import os
    import shutil
    from pathlib import Path

    def writable(path: str) -> bool:
        try:
            Path(path).touch()
        except OSError:
            return False
        return True

    size = sum(
        (Path(folder) / name).lstat().st_blocks * 512
        for top in ("/opt/hunarmitra", "/app")
        for folder, _, found in os.walk(top)
        for name in found
    )
    return {
        "uid": os.getuid(),
        "modules": [name for name in absent if importlib.util.find_spec(name)],
        "compilers": [name for name in ("cc", "gcc", "c++", "rustc") if shutil.which(name)],
        "mib": size / 2**20,
        "root": writable("/probe") or writable("/app/probe"),
        "tmp": writable("/tmp/probe"),
        "token": Path("/var/run/secrets/kubernetes.io").exists(),
    }


def helm_test_users() -> int:
    """Return how many users of `helm test` are in the database."""
    import django

    django.setup()
    from hunarmitra.accounts.models import User

    return User.objects.filter(username__startswith="helm-test-").count()


def get_status(url: str) -> int:
    """GET `url`; return the status of the answer."""
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def read_metrics() -> str:
    """Return the metrics of the process in this pod, in Prometheus' text format."""
    import urllib.request

    with urllib.request.urlopen("http://127.0.0.1:8081/metrics", timeout=10) as answer:
        return str(answer.read().decode())


def reachable(targets: dict[str, tuple[str, int]]) -> list[str]:
    """Return the names of the targets (host, port) that accept a TCP connection from this pod."""
    import socket

    found = []
    for name, (host, port) in targets.items():
        try:
            socket.create_connection((host, port), 2).close()
            found.append(name)
        except OSError:
            continue
    return found


def read_loads(addresses: dict[str, str]) -> dict[str, int]:
    """Return the number of connections of each ws pod, {name: address}.

    For the operator's pod, which the network policies let through to the control ports.
    """
    import json
    import urllib.request
    from pathlib import Path

    token = Path("/run/secrets/hunarmitra/token").read_text().split()[0]
    loads = {}
    for name, address in addresses.items():
        request = urllib.request.Request(
            f"http://{address}:8082/connections", headers={"Authorization": f"Bearer {token}"}
        )
        with urllib.request.urlopen(request, timeout=5) as answer:
            loads[name] = int(json.loads(answer.read())["total"])
    return loads


def patch_pod(namespace: str, pod: str, patch: dict[str, Any]) -> str:
    """PATCH a pod with this pod's own token; return the status, or the body of a refusal.

    kubectl would read the pod first, which the operator may not.
    """
    import json
    import ssl
    import urllib.error
    import urllib.request
    from pathlib import Path

    account = Path("/var/run/secrets/kubernetes.io/serviceaccount")
    token = (account / "token").read_text()
    request = urllib.request.Request(
        f"https://kubernetes.default/api/v1/namespaces/{namespace}/pods/{pod}",
        data=json.dumps(patch).encode(),
        method="PATCH",
        headers={"Content-Type": "application/merge-patch+json", "Authorization": f"Bearer {token}"},
    )
    trust = ssl.create_default_context(cafile=str(account / "ca.crt"))
    trust.verify_flags &= ~ssl.VERIFY_X509_STRICT
    try:
        with urllib.request.urlopen(request, context=trust, timeout=10) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.read().decode())


def migrate_ahead(tables: dict[str, str], forward: bool) -> list[str]:
    """Apply or undo a migration of a next release; return the columns of a booking afterwards.

    It does all that a migration may do to each of `tables`, {app: model}: a column with a default and one without, an
    index, and a table beside it. It is recorded as applied, like one that an older release does not have.
    """
    import django

    django.setup()
    from django.db import connection, migrations, models
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.recorder import MigrationRecorder

    name = "9999_next"
    state, recorder = MigrationLoader(connection).project_state(), MigrationRecorder(connection)
    for app, model in tables.items():
        operations = [
            migrations.AddField(model, "next_required", models.CharField(max_length=9, db_default="new")),
            migrations.AddField(model, "next_optional", models.JSONField(null=True)),
            migrations.AddIndex(model, models.Index(fields=["next_required"], name=f"next_{model}")),
            migrations.CreateModel(
                f"Next{model}",
                [
                    ("id", models.BigAutoField(primary_key=True)),
                    ("of", models.ForeignKey(f"{app}.{model}", on_delete=models.CASCADE, related_name="+")),
                ],
            ),
        ]
        migration = type("Migration", (migrations.Migration,), {"operations": operations})(name, app)
        with connection.schema_editor(atomic=True) as editor:
            state = (migration.apply if forward else migration.unapply)(state, editor)
        (recorder.record_applied if forward else recorder.record_unapplied)(app, name)
    with connection.cursor() as cursor:
        return [column.name for column in connection.introspection.get_table_description(cursor, "bookings_booking")]


def read_logs(bookings: list[str]) -> dict[str, list[tuple[int, str]]]:
    """Return the log of each booking that the database has: seq and status of each event."""
    import django

    django.setup()
    from hunarmitra.bookings.models import Booking, BookingEvent

    logs: dict[str, list[tuple[int, str]]] = {
        str(key): [] for key in Booking.objects.filter(pk__in=bookings).values_list("pk", flat=True)
    }
    events = BookingEvent.objects.filter(booking_id__in=bookings).order_by("seq")
    for booking, seq, status in events.values_list("booking_id", "seq", "status"):
        logs[str(booking)].append((seq, status))
    return logs

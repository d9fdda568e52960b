"""What a person is shown after the demo data was made: who can sign in, and the lines to paste."""

from __future__ import annotations

import sys
from pathlib import Path

from django.conf import settings

from hunarmitra.config.declaration import BASE_DIR
from hunarmitra.config.environment import Environment
from hunarmitra.demo.credentials import FILE_NAME, credentials_path, read_passwords
from hunarmitra.demo.data import DemoData


def summary(data: DemoData, base_url: str) -> str:
    ws_url = base_url.replace("http", "ws", 1)
    environment = settings.ENVIRONMENT
    booking, minutes = data.booking, environment.jwt_access_lifetime / 60
    lines = ["", f"HunarMitra realtime  {base_url}", ""]
    if environment.serves_page:
        lines += ['Open it in a browser, choose who to be, and press "Drive the demo" in a booking. The people:', ""]
    lines += [
        f"  {role:<9} {user.username:<14} {user.password:<17} {user.user.name}"
        for role, user in zip(("employer", "worker", "admin"), data.users, strict=True)
    ]
    if data.worker.password not in read_passwords().values():
        lines += ["", _not_kept()]
    lines += [
        "",
        f"  booking   {booking.pk}  ({booking.status}: {booking.service}, {booking.address})",
        "",
        f"Watch it as the employer (the token is valid for {minutes:g} minutes):",
        f'  wscat -c "{ws_url}/ws/bookings/{booking.pk}/?token={data.employer.access}"',
        "and in another terminal send the worker on the way:",
        f"  {_drive(environment, data, base_url)}",
        "",
    ]
    return "\n".join(lines)


def _not_kept() -> str:
    path = credentials_path()
    reason = "is not a file of the demo" if path.exists() else "cannot be written"
    return f"The passwords are not kept: {path} {reason}. Move it away, or the next start makes other passwords."


def _drive(environment: Environment, data: DemoData, base_url: str) -> str:
    """A line for a fresh terminal at the project's top: with the interpreter and DEBUG of this process."""
    interpreter = Path(sys.executable)
    if interpreter.is_relative_to(Path.cwd()):
        interpreter = interpreter.relative_to(Path.cwd())
    words = ["DEBUG=1"] if environment.debug else []
    words += [str(interpreter), "manage.py", "drive", str(data.booking.pk)]
    if base_url != f"http://127.0.0.1:{Environment.port}":
        words += ["--base-url", base_url]
    if credentials_path() != BASE_DIR / "var" / FILE_NAME or data.worker.password not in read_passwords().values():
        words += ["--password", data.worker.password]
    return " ".join(words)

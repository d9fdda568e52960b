"""The command line: `hunarmitra watch BOOKING`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence

import httpx

from hunarmitra_realtime.booking import FINAL, BookingStream
from hunarmitra_realtime.events import Event
from hunarmitra_realtime.session import Session


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="hunarmitra", description="HunarMitra realtime on the command line.")
    commands = made.add_subparsers(dest="command", required=True)
    watch = commands.add_parser("watch", help="print the events of a booking until it is over")
    watch.add_argument("booking", help="id of the booking")
    watch.add_argument("--server", default=os.environ.get("HUNARMITRA_SERVER", "http://127.0.0.1:8000"))
    watch.add_argument("--user", default=os.environ.get("HUNARMITRA_USER"), help="user name (or HUNARMITRA_USER)")
    watch.add_argument("--since", type=int, default=0, help="seq of the last known event; 0 prints all events")
    watch.epilog = "The password is read from HUNARMITRA_PASSWORD. Instead of both, HUNARMITRA_TOKEN may hold a token."
    return made


def line(event: Event) -> str | None:
    """Return what is printed for an event."""
    if event.kind == "status" and event.data:
        return f"{event.data['timestamp']}  {event.data['seq']:>3}  {event.data['event_type']} ({event.data['actor']})"
    if event.kind == "location":
        if event.data is None:
            return "location: not available"
        eta = event.data.get("eta_minutes")
        return f"location: {event.data['lat']}, {event.data['lng']}" + (f", ETA {eta} min" if eta else "")
    if event.kind == "state" and event.state and event.state.name == "reconnecting":
        return f"connection lost; next attempt in {event.state.delay:.0f} s"
    if event.kind == "resync":
        return "events are missing: they can no longer be replayed"
    return None


def is_last(event: Event) -> bool:
    """Return whether the booking is over and no event follows."""
    if event.data is None or event.data.get("status") not in FINAL:
        return False
    return event.kind == "status" or (event.kind == "snapshot" and event.data["replay"] == 0)


async def watch(options: argparse.Namespace) -> int:
    """Print events until the booking is over. Return the exit code."""
    token = os.environ.get("HUNARMITRA_TOKEN", "")
    async with Session(options.server, access=token) as session:
        if not token:
            if not options.user or not (password := os.environ.get("HUNARMITRA_PASSWORD")):
                print("set HUNARMITRA_USER and HUNARMITRA_PASSWORD, or HUNARMITRA_TOKEN", file=sys.stderr)
                return 2
            try:
                await session.sign_in(options.user, password)
            except httpx.HTTPError as error:
                print(f"sign-in failed: {error}", file=sys.stderr)
                return 1
        credentials = token or session.token
        async with BookingStream(options.server, options.booking, token=credentials, since=options.since) as stream:
            async for event in stream:
                if text := line(event):
                    print(text, flush=True)
                if is_last(event):
                    return 0
        print(f"closed: {stream.state.reason} {stream.state.message or ''}".strip(), file=sys.stderr)
        return 1


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        return asyncio.run(watch(parser().parse_args(arguments)))
    except KeyboardInterrupt:
        return 130

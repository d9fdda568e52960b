"""The command line: `hunarmitra watch BOOKING…` and `hunarmitra send-locations BOOKING TRACK.gpx`."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx

from hunarmitra_realtime.booking import FINAL, BookingChannel, BookingStream
from hunarmitra_realtime.connection import RealtimeConnection
from hunarmitra_realtime.events import Event
from hunarmitra_realtime.locations import Progress, TrackError, read_gpx, send_locations
from hunarmitra_realtime.sender import SharingEndedError
from hunarmitra_realtime.session import Session

BAR = 30
"""Characters of the progress bar."""


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(prog="hunarmitra", description="HunarMitra realtime on the command line.")
    commands = made.add_subparsers(dest="command", required=True)
    watch = commands.add_parser("watch", help="print the events of bookings until they are over")
    send = commands.add_parser("send-locations", help="send the locations of a GPX track as the booking's worker")
    watch.add_argument("booking", nargs="+", help="id of a booking; several share one connection")
    send.add_argument("booking", help="id of the booking")
    for command in (watch, send):
        command.add_argument("--server", default=os.environ.get("HUNARMITRA_SERVER", "http://127.0.0.1:8000"))
        command.add_argument("--user", default=os.environ.get("HUNARMITRA_USER"), help="user name (or HUNARMITRA_USER)")
    watch.add_argument("--since", type=int, default=0, help="seq of the last known event; 0 prints all events")
    send.add_argument("track", type=Path, help="GPX file; points without times are 8 m/s apart")
    send.add_argument("--faster", type=_positive, default=1.0, help="play the track so many times faster (default 1)")
    for command in (watch, send):
        command.epilog = (
            "The password is read from HUNARMITRA_PASSWORD. Instead of both, HUNARMITRA_TOKEN may hold a token."
        )
    return made


def _positive(text: str) -> float:
    number = float(text)
    if not 0 < number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is not a positive number")
    return number


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


async def signed_in(session: Session, options: argparse.Namespace) -> int:
    """Sign in unless HUNARMITRA_TOKEN has a token. Return 0, or the exit code of a failure."""
    if os.environ.get("HUNARMITRA_TOKEN"):
        return 0
    if not options.user or not (password := os.environ.get("HUNARMITRA_PASSWORD")):
        print("set HUNARMITRA_USER and HUNARMITRA_PASSWORD, or HUNARMITRA_TOKEN", file=sys.stderr)
        return 2
    try:
        await session.sign_in(options.user, password)
    except httpx.HTTPError as error:
        print(f"sign-in failed: {error}", file=sys.stderr)
        return 1
    return 0


async def watch(options: argparse.Namespace) -> int:
    """Print events until every booking is over. Return the exit code."""
    token = os.environ.get("HUNARMITRA_TOKEN", "")
    async with Session(options.server, access=token) as session:
        if failed := await signed_in(session, options):
            return failed
        credentials = token or session.token
        if len(options.booking) == 1:
            booking = options.booking[0]
            async with BookingStream(options.server, booking, token=credentials, since=options.since) as stream:
                return await _print_events(stream, "")
        async with RealtimeConnection(options.server, token=credentials) as connection:
            streams = {each: connection.booking(each, since=options.since) for each in dict.fromkeys(options.booking)}
            return max(await asyncio.gather(*(_print_events(streams[each], f"{each}  ") for each in streams)))


async def _print_events(stream: BookingChannel, prefix: str) -> int:
    async for event in stream:
        if text := line(event):
            print(f"{prefix}{text}", flush=True)
        if is_last(event):
            return 0
    print(f"{prefix}closed: {stream.state.reason} {stream.state.message or ''}".strip(), file=sys.stderr)
    return 1


def progress_line(progress: Progress) -> str:
    """Return the bar, the place, and what happens next."""
    done = round(BAR * progress.part)
    point = progress.point
    bar = f"[{'#' * done}{'-' * (BAR - done)}] {progress.part:>4.0%}  {point.lat:.5f}, {point.lng:.5f}"
    return f"{bar}  {progress.problem or 'sent'}; next in {progress.next_in:.1f} s"


def _show(progress: Progress) -> None:
    """Draw over the last line of a terminal; write one line for each attempt elsewhere."""
    if sys.stdout.isatty():
        print(f"\r\x1b[K{progress_line(progress)}", end="", flush=True)
    else:
        print(progress_line(progress), flush=True)


async def send(options: argparse.Namespace) -> int:
    """Replay a track. Return the exit code."""
    try:
        points = read_gpx(options.track)
    except TrackError as error:
        print(error, file=sys.stderr)
        return 2
    token = os.environ.get("HUNARMITRA_TOKEN", "")
    async with Session(options.server, access=token) as session:
        if failed := await signed_in(session, options):
            return failed
        try:
            async with BookingStream(options.server, options.booking, token=token or session.token) as stream:
                reading = asyncio.create_task(stream.discard())
                await send_locations(
                    session, options.booking, points, faster=options.faster, stream=stream, report=_show
                )
            await reading
        except SharingEndedError as error:
            _end_line()
            print(f"ended: {error.code}: {error}", file=sys.stderr)
            return 1
    _end_line()
    return 0


def _end_line() -> None:
    if sys.stdout.isatty():
        print()


def main(arguments: Sequence[str] | None = None) -> int:
    try:
        options = parser().parse_args(arguments)
        return asyncio.run(send(options) if options.command == "send-locations" else watch(options))
    except KeyboardInterrupt:
        return 130

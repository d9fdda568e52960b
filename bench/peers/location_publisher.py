"""Publishes locations of many bookings in turn, at a rate, as the domain signs them; without a row in the database.

Arguments: locations a second, and seconds. Reads the bookings' ids on stdin, one on each line. Writes how many it
published.
"""

from __future__ import annotations

import json
import os
import sys
import time

import redis

from hunarmitra.config.key_ring import derived_secrets, read_keys
from hunarmitra.outbox.signing import PURPOSE, MessageSigner

TURN = 0.02
"""Seconds between two pipelines."""


def main() -> None:
    rate, seconds = float(sys.argv[1]), float(sys.argv[2])
    bookings = sys.stdin.read().split()
    signer = MessageSigner(derived_secrets(*read_keys(os.environ["JWT_KEYS"], "", ""), PURPOSE))
    sent = 0
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        began = time.monotonic()
        while (passed := time.monotonic() - began) < seconds:
            pipeline = client.pipeline(transaction=False)
            for number in range(sent, int(passed * rate)):
                channel, body = location(bookings[number % len(bookings)], number)
                pipeline.publish(f"asgi__group__{channel}", signer.pack(channel, body))
            sent = max(sent, int(passed * rate))
            pipeline.execute()
            time.sleep(TURN)
    print(sent)


def location(booking: str, number: int) -> tuple[str, dict[str, object]]:
    frame = {
        "type": "location_update",
        "booking_id": booking,
        "lat": 28 + number % 10_000 / 10_000,
        "lng": 77.209,
        "timestamp": "2026-01-03T11:05:00.000000Z",
        "actor": "Ravi Kumar",
        "eta_minutes": 7,
    }
    now = time.time_ns() // 1000
    body: dict[str, object] = {
        "type": "realtime.location",
        "seq": 10**9,
        "order": now,
        "frame": json.dumps(frame, separators=(",", ":")),
        "committed_at": now,
        "published_at": now,
    }
    return f"booking.{booking}", body


if __name__ == "__main__":
    main()

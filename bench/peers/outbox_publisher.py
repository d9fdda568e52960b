"""Publishes as the domain does: each event is a row and its booking's new number, committed, and then a PUBLISH.

Reads ``group seq`` lines on stdin; those that wait are taken together, in one transaction and one round trip to Redis.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from queue import SimpleQueue

import psycopg
import redis

from bench.peers.frames import ACTOR, EVENT_TYPE, STATUS, event_frame
from hunarmitra.config.key_ring import derived_secrets, read_keys
from hunarmitra.outbox.signing import PURPOSE, MessageSigner

MOST_AT_ONCE = 200

_INSERT = """
INSERT INTO bookings_bookingevent
    (booking_id, seq, event_type, status, actor, clears_location, created_at, published_at)
VALUES (%s, %s, %s, %s, %s, false, now(), now())
"""


def _read(lines: SimpleQueue[tuple[str, int] | None]) -> None:
    for line in sys.stdin:
        group, seq = line.split()
        lines.put((group, int(seq)))
    lines.put(None)


def main() -> None:
    lines: SimpleQueue[tuple[str, int] | None] = SimpleQueue()
    client = redis.Redis.from_url(os.environ["REDIS_URL"])
    signer = MessageSigner(derived_secrets(*read_keys(os.environ["JWT_KEYS"], "", ""), PURPOSE))
    with psycopg.connect(os.environ["DATABASE_URL"]) as database, client:
        threading.Thread(target=_read, args=[lines], daemon=True).start()
        print("ready", flush=True)
        while (item := lines.get()) is not None:
            batch = [item]
            while len(batch) < MOST_AT_ONCE and not lines.empty():
                following = lines.get()
                if following is None:
                    lines.put(None)
                    break
                batch.append(following)
            _publish(database, client, signer, batch)


def _publish(
    database: psycopg.Connection, client: redis.Redis, signer: MessageSigner, batch: list[tuple[str, int]]
) -> None:
    newest = dict(batch)
    with database.cursor() as cursor:
        cursor.executemany(
            "UPDATE bookings_booking SET seq = %s WHERE id = %s",
            [(seq, group) for group, seq in sorted(newest.items())],
        )
        cursor.executemany(_INSERT, [(group, seq, EVENT_TYPE, STATUS, ACTOR) for group, seq in batch])
    database.commit()
    now = time.time_ns() // 1000
    pipeline = client.pipeline(transaction=False)
    for group, seq in batch:
        body = {"type": "realtime.status", "seq": seq, "frame": event_frame(group, seq)}
        body |= {"committed_at": now, "published_at": now}
        channel = f"booking.{group}"
        pipeline.publish(f"asgi__group__{channel}", signer.pack(channel, body))
    pipeline.execute()


if __name__ == "__main__":
    main()

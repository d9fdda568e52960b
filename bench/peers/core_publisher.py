"""Publishes through channels_redis' core layer, where that is more than a PUBLISH: ``group seq`` lines on stdin."""

from __future__ import annotations

import asyncio
import os
import sys

from channels_redis.core import RedisChannelLayer

from bench.peers.frames import event_frame


async def main() -> None:
    layer = RedisChannelLayer(hosts=[os.environ["REDIS_URL"]])
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    print("ready", flush=True)
    while line := (await reader.readline()).split():
        group, seq = line[0].decode(), int(line[1])
        await layer.group_send(group, {"type": "bench.event", "frame": event_frame(group, seq)})


if __name__ == "__main__":
    asyncio.run(main())

"""The project's settings with a stock channel layer, which ``BENCH_LAYER`` names."""

from __future__ import annotations

import os
from typing import Any

from hunarmitra.settings import *  # noqa: F403 - settings are names in a module

_LAYERS = {
    "core": "channels_redis.core.RedisChannelLayer",
    "pubsub": "channels_redis.pubsub.RedisPubSubChannelLayer",
}

_layer: Any = {
    "BACKEND": _LAYERS[os.environ.get("BENCH_LAYER", "pubsub")],
    "CONFIG": {"hosts": [os.environ["REDIS_URL"]]},
}
CHANNEL_LAYERS = {"default": _layer}

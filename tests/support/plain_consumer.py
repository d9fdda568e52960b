"""An ASGI application with an ordinary Channels consumer beside the project's REST, on the project's channel layer."""

from __future__ import annotations

import json
import os
from typing import Any, ClassVar

from django.core.asgi import get_asgi_application

os.environ["DJANGO_SETTINGS_MODULE"] = "hunarmitra.settings"
_http = get_asgi_application()

from channels.generic.websocket import AsyncJsonWebsocketConsumer  # noqa: E402 - Django is set up first
from channels.routing import ProtocolTypeRouter  # noqa: E402


class Plain(AsyncJsonWebsocketConsumer):
    """Carries out its client's commands: join, leave, send to a group or to one channel."""

    groups: ClassVar[list[str]] = ["everybody"]

    async def connect(self) -> None:
        await self.accept()
        await self.send_json({"type": "ready", "channel": self.channel_name})

    async def receive_json(self, content: dict[str, Any], **options: Any) -> None:
        layer, argument = self.channel_layer, content["name"]
        message = {"type": "plain.message", "text": content.get("text")}
        match content["do"]:
            case "join":
                await layer.group_add(argument, self.channel_name)
            case "leave":
                await layer.group_discard(argument, self.channel_name)
            case "group_send":
                await layer.group_send(argument, message)
            case "send":
                await layer.send(argument, message)
            case unknown:
                raise ValueError(unknown)
        await self.send_json({"type": "done"})

    async def plain_message(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "message", "text": event["text"]})

    async def realtime_status(self, event: dict[str, Any]) -> None:
        await self.send_json({"type": "status", "frame": json.loads(event["frame"])})


application = ProtocolTypeRouter({"http": _http, "websocket": Plain.as_asgi()})

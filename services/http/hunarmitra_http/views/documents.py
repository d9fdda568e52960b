"""API documentation: Swagger UI from this server's own files, and one page about the WebSocket API."""

from __future__ import annotations

import json
import re
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe
from django.views.generic import TemplateView

from hunarmitra.common.response_headers import PERMISSIONS, document_policy
from hunarmitra.protocol.asyncapi import AFTER
from hunarmitra.protocol.close_codes import CloseCode
from hunarmitra_http.views.schema import sockets_description

Json = dict[str, Any]


class DocumentView(TemplateView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().dispatch(request, *args, **kwargs)
        assert isinstance(response, HttpResponse)
        response["Content-Security-Policy"] = document_policy()
        response["Permissions-Policy"] = PERMISSIONS
        response["Cache-Control"] = "no-cache"
        return response


class RestDocumentView(DocumentView):
    template_name = "hunarmitra_http/rest.html"


class SocketsDocumentView(DocumentView):
    template_name = "hunarmitra_http/sockets.html"

    def get_context_data(self, **kwargs: Any) -> Json:
        described = sockets_description()
        return super().get_context_data(
            channels=[_channel(described, name) for name in described["channels"]],
            close_codes=[(code.value, code.reason, _prose(AFTER[code])) for code in CloseCode],
            about=[_prose(text) for text in described["info"]["description"].split("\n\n")[:2]],
            **kwargs,
        )


def _channel(described: Json, name: str) -> Json:
    channel = described["channels"][name]
    frames: list[Json] = []
    requests: list[Json] = []
    for message_name in channel["messages"]:
        message = _message(described, name, message_name)
        (requests if message_name.endswith("Request") else frames).append(message)
    query = channel["bindings"]["ws"]["query"]["properties"]
    return {
        "name": name,
        "title": channel["title"],
        "address": channel["address"],
        "description": channel["description"],
        "query": [(key, _prose(schema["description"])) for key, schema in query.items()],
        "frames": frames,
        "requests": requests,
    }


def _message(described: Json, channel: str, name: str) -> Json:
    message = described["components"]["messages"][name]
    payload = message["payload"]
    schema = described["components"]["schemas"][name] if "$ref" in payload else payload
    examples = message.get("examples", [])
    return {
        "anchor": f"{channel}-{name}",
        "type": message["name"],
        "summary": _prose(message.get("summary", "")),
        "keys": [
            {
                "name": key,
                "kind": _kind(value),
                "optional": key not in schema["required"],
                "meaning": _prose(value.get("description", "")),
            }
            for key, value in schema["properties"].items()
            if key != "type"
        ],
        "example": json.dumps(examples[0]["payload"], indent=2, ensure_ascii=False) if examples else "",
    }


def _kind(schema: Json) -> SafeString:
    if "anyOf" in schema:
        return _prose("`location_update` or null")
    if "enum" in schema:
        return _prose(" ".join(f"`{word}`" for word in schema["enum"]))
    return conditional_escape({"date-time": "time", "uuid": "UUID"}.get(schema.get("format", ""), str(schema["type"])))


def _prose(text: str) -> SafeString:
    """Text whose `code` stands between backquotes."""
    parts = re.split(r"`([^`]*)`", text)
    shown = [
        format_html("<code>{}</code>", part) if number % 2 else conditional_escape(part)
        for number, part in enumerate(parts)
    ]
    return mark_safe("".join(shown))  # noqa: S308 - every part is escaped

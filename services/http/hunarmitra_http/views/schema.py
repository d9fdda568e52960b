"""The descriptions of REST (OpenAPI) and of WebSocket (AsyncAPI), generated once per process."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from hunarmitra.common.first_use import made_once
from hunarmitra.protocol.asyncapi import document
from hunarmitra_http.views.base import ApiView

PUBLIC: Final = {"Cache-Control": "no-cache"}
"""Browsers may keep a description, and ask whether it has changed."""


@made_once
def description() -> dict[str, Any]:
    document: dict[str, Any] = SchemaGenerator().get_schema(request=None, public=True)
    return document


@made_once
def sockets_description() -> dict[str, Any]:
    return document()


class AsyncApiView(ApiView):
    """The WebSocket API, in AsyncAPI 3."""

    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(sockets_description(), headers=PUBLIC)


class SchemaView(ApiView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(exclude=True)
    def get(self, request: Request) -> Response:
        return Response(description(), headers=PUBLIC)

"""Base classes of all API views."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from django.db.models import QuerySet
from django.http import HttpRequest
from rest_framework.generics import GenericAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from hunarmitra_http.cursors import CursorOrder
from hunarmitra_http.pagination import Pages

_Serializer = TypeVar("_Serializer", bound="Serializer[Any]")


class ApiRequest(Request):
    """A request whose body may be chunked: without ``Content-Length`` Django and REST framework see no body."""

    @property
    def stream(self) -> Any:
        stream = super().stream
        if stream is None and "chunked" in self.META.get("HTTP_TRANSFER_ENCODING", "").lower():
            # On WSGI, Django's own stream ends at the missing length; the server's ends with the last chunk.
            return self.META["wsgi.input"] if self.META.get("wsgi.input_terminated") else self
        return stream


class ApiView(APIView):
    """``refusals``: the error statuses of each method, for its description, besides those of every view."""

    http_method_names = ["get", "post", "patch", "head"]
    refusals: Mapping[str, tuple[int, ...]] = {}

    def initialize_request(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Request:
        return ApiRequest(
            request,
            parsers=self.get_parsers(),
            authenticators=self.get_authenticators(),
            negotiator=self.get_content_negotiator(),
            parser_context=self.get_parser_context(request),
        )


class ListView(ApiView, GenericAPIView[Any]):
    """A view with pages. ``cursor_order`` is the order in which they are read by cursor."""

    cursor_order: CursorOrder

    def page_of(
        self,
        rows: QuerySet[Any],
        kind: type[Serializer[Any]],
        *,
        parts: Sequence[QuerySet[Any]] = (),
        context: Mapping[str, Any] | None = None,
    ) -> Response:
        """The page that the request asks for. ``parts`` are disjoint, and together ``rows``; by default ``rows``.

        ``context`` is the serializer's.
        """
        context = dict(context or {})
        pages = self.paginator
        if isinstance(pages, Pages) and pages.is_by_cursor(self.request):
            found, response = pages.cursor_page(parts or [rows], self.cursor_order, self.request)
            return response(kind(found, many=True, context=context).data)
        page: Any = self.paginate_queryset(rows)
        return self.get_paginated_response(kind(page, many=True, context=context).data)


def checked(kind: type[_Serializer], data: Any) -> dict[str, Any]:
    """Validate ``data`` with the serializer. Raises ValidationError, answered with 400."""
    serializer = kind(data=data)
    serializer.is_valid(raise_exception=True)
    values: dict[str, Any] = serializer.validated_data
    return values

"""Pages of every list of the API: by number, or by cursor."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from hunarmitra_http.cursors import PATTERN, CursorOrder, InvalidCursorError

if TYPE_CHECKING:
    # At run time REST framework's views are still being imported when they import this module.
    from rest_framework.views import APIView

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


_NOT_A_CURSOR = "Not a cursor of this list. Take it from next or previous; begin with ?cursor= alone."


class Pages(PageNumberPagination):
    """``?page=`` or ``?cursor=``, and ``?page_size=`` (a larger one counts as 100). A page after the last is 404."""

    page_size_query_param = "page_size"
    cursor_query_param = "cursor"
    max_page_size = 100
    last_page_strings = ()

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        self._check_numbers(request)
        return super().paginate_queryset(queryset, request, view)

    def _check_numbers(self, request: Request) -> None:
        """Reject malformed numbers: REST framework replaces a malformed size by the default."""
        for name in (self.page_query_param, "page_size"):
            if not _NUMBER.fullmatch(request.query_params.get(name, "1")):
                raise ValidationError({name: ["Must be a whole number from 1."]})

    def is_by_cursor(self, request: Request) -> bool:
        return self.cursor_query_param in request.query_params

    def cursor_page(
        self, parts: Sequence[QuerySet[Any]], order: CursorOrder, request: Request
    ) -> tuple[list[Any], Callable[[Any], Response]]:
        """Return the rows of a page by cursor, and a function that makes the response of their JSON.

        There is no count: counting all rows costs more than reading a page. Raises ValidationError.
        """
        self._check_numbers(request)
        if self.page_query_param in request.query_params:
            raise ValidationError({self.cursor_query_param: ["Give cursor or page, not both."]})
        size = self.get_page_size(request)
        assert size is not None
        try:
            page = order.page(parts, request.query_params[self.cursor_query_param], size)
        except InvalidCursorError:
            raise ValidationError({self.cursor_query_param: [_NOT_A_CURSOR]}) from None
        url = request.build_absolute_uri()
        links = {
            name: None if cursor is None else replace_query_param(url, self.cursor_query_param, cursor)
            for name, cursor in (("next", page.next), ("previous", page.previous))
        }
        return page.rows, lambda results: Response({**links, "results": results})

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1, "maximum": 999_999_999}
        cursor = {
            "name": self.cursor_query_param,
            "required": False,
            "in": "query",
            "description": "Instead of `page`. Empty for the first page, then from `next` and `previous`. A row that "
            "exists when the first page is read comes exactly once.",
            "schema": {"type": "string", "pattern": PATTERN},
        }
        return [*parameters, cursor]

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page in JSON Schema: REST framework's own schema uses ``nullable`` of OpenAPI 3.0."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "description": "Of all pages. Not with `cursor`."},
                "next": {**link, "description": "The next page's URL; null on the last."},
                "previous": {**link, "description": "The previous page's URL; null on the first."},
                "results": schema,
            },
        }

"""Page-number pagination, as every list of the API has it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from rest_framework.exceptions import ValidationError
from rest_framework.pagination import PageNumberPagination
from rest_framework.request import Request

if TYPE_CHECKING:
    # At run time REST framework's views are still being imported when they import this module.
    from rest_framework.views import APIView

_NUMBER = re.compile(r"[1-9][0-9]{0,8}", re.ASCII)


class PageNumberPages(PageNumberPagination):
    """``?page=`` and ``?page_size=`` (a larger one counts as 100). A page after the last is 404."""

    page_size_query_param = "page_size"
    max_page_size = 100
    last_page_strings = ()

    def paginate_queryset(
        self, queryset: QuerySet[Any] | Sequence[Any], request: Request, view: APIView | None = None
    ) -> list[Any] | None:
        """Reject malformed numbers: REST framework replaces a malformed size by the default."""
        for name in (self.page_query_param, "page_size"):
            if not _NUMBER.fullmatch(request.query_params.get(name, "1")):
                raise ValidationError({name: ["Must be a whole number from 1."]})
        return super().paginate_queryset(queryset, request, view)

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        parameters: list[dict[str, Any]] = super().get_schema_operation_parameters(view)
        for parameter in parameters:
            parameter["schema"] |= {"minimum": 1, "maximum": 999_999_999}
        return parameters

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Describe a page in JSON Schema: REST framework's own schema uses ``nullable`` of OpenAPI 3.0."""
        link = {"type": ["string", "null"], "format": "uri"}
        return {
            "type": "object",
            "required": ["count", "next", "previous", "results"],
            "properties": {
                "count": {"type": "integer", "minimum": 0, "description": "Of all pages."},
                "next": {**link, "description": "The next page's URL; null on the last."},
                "previous": {**link, "description": "The previous page's URL; null on the first."},
                "results": schema,
            },
        }

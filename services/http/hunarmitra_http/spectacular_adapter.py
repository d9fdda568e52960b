"""Adapter for drf-spectacular: describes one answer of an operation."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiResponse

from hunarmitra.common.private_names import Library, names_of

LIBRARY: Final = Library(
    "drf-spectacular",
    "0.30.0",
    (
        *names_of(
            "drf_spectacular.openapi:AutoSchema",
            {
                "_get_response_for_code(serializer, status_code, media_types, direction)": "describes an answer; the "
                "public extend_schema would need all errors repeated at each operation",
            },
        ),
    ),
)


class DescribesAnswers(AutoSchema):
    """drf-spectacular's schema of a view, with a public way to describe one answer."""

    def describe_answer(self, answer: OpenApiResponse, status: int) -> dict[str, Any]:
        """The OpenAPI response object of this answer."""
        described: dict[str, Any] = self._get_response_for_code(answer, str(status))  # type: ignore[no-untyped-call]
        return described

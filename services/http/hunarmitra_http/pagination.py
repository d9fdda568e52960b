"""Page-number pagination, as every list of the API has it."""

from __future__ import annotations

from rest_framework.pagination import PageNumberPagination


class PageNumberPages(PageNumberPagination):
    """``?page=`` and ``?page_size=`` (at most 100)."""

    page_size_query_param = "page_size"
    max_page_size = 100

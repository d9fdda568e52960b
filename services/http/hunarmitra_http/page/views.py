"""The page's one document, and the people of the demo."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.utils.cache import add_never_cache_headers
from django.views.generic import TemplateView, View

from hunarmitra.common.response_headers import PERMISSIONS_WITH_LOCATION, document_policy
from hunarmitra_http.page.people import demo_people, offers_people


class PageView(TemplateView):
    template_name = "page/index.html"

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        environment = settings.ENVIRONMENT
        configuration = {
            "demo": offers_people(self.request),
            "tileUrl": environment.map_tile_url,
            "attribution": environment.map_attribution,
            "trackingSeconds": environment.tracking_min_interval,
        }
        return super().get_context_data(configuration=configuration, **kwargs)

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        response = super().dispatch(request, *args, **kwargs)
        assert isinstance(response, HttpResponse)
        response["Content-Security-Policy"] = document_policy(settings.ENVIRONMENT.map_tile_url)
        response["Permissions-Policy"] = PERMISSIONS_WITH_LOCATION
        add_never_cache_headers(response)
        return response


class DemoPeopleView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        if not offers_people(request):
            raise Http404
        response = JsonResponse({"people": demo_people()})
        add_never_cache_headers(response)
        return response

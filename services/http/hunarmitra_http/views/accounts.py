"""Users, workers and tickets."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from hunarmitra.accounts.selectors import worker_list
from hunarmitra.accounts.services import ticket_issue
from hunarmitra_http.authentication import identity_of_request, user_of_request
from hunarmitra_http.cursors import CursorOrder, identifier_key
from hunarmitra_http.permissions import IsStaff
from hunarmitra_http.serializers.accounts import TicketSerializer, UserSerializer, WorkerSerializer
from hunarmitra_http.views.base import ApiView, ListView


class MeView(ApiView):
    @extend_schema(responses={200: UserSerializer})
    def get(self, request: Request) -> Response:
        """The signed-in user."""
        return Response(UserSerializer(user_of_request(request)).data)


class WorkersView(ListView):
    permission_classes = [IsStaff]
    refusals = {"GET": (403,)}
    cursor_order = CursorOrder("workers", identifier_key())  # a name may change while a client reads

    @extend_schema(responses={200: WorkerSerializer(many=True)})
    def get(self, request: Request) -> Response:
        """Active workers and whether they are available, by name, or by id with `cursor`. Staff only."""
        return self.page_of(worker_list(), WorkerSerializer)


class TicketsView(ApiView):
    @extend_schema(request=None, responses={201: TicketSerializer})
    def post(self, request: Request) -> Response:
        """A single-use ticket that opens one connection as this token would, without the token in a URL."""
        return Response(TicketSerializer(ticket_issue(identity=identity_of_request(request))).data, status=201)

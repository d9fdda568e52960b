"""Sign in, exchange refresh tokens, verify tokens and sign out, in simplejwt's format."""

from __future__ import annotations

from typing import Any, NoReturn

from django.http import HttpRequest
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework_simplejwt.exceptions import InvalidToken, TokenError

from hunarmitra.accounts.results import SessionExpiredError, SessionReusedError, SessionsEndedError, TokenPair
from hunarmitra.accounts.selectors import user_of_token
from hunarmitra.accounts.services import session_end, session_rotate, session_start
from hunarmitra.telemetry import security
from hunarmitra_http import devices
from hunarmitra_http.authentication import CHALLENGE
from hunarmitra_http.serializers.accounts import (
    CredentialsSerializer,
    RefreshSerializer,
    TokenPairSerializer,
    VerifySerializer,
)
from hunarmitra_http.signing_in import sign_in
from hunarmitra_http.throttles import AuthThrottle
from hunarmitra_http.views.base import ApiView, checked


class AuthView(ApiView):
    """Views without authentication. Wrong credentials in the body are 401."""

    authentication_classes = []
    permission_classes = [AllowAny]
    throttle_classes = [AuthThrottle]
    refusals = {"POST": (401,)}

    def get_authenticate_header(self, request: HttpRequest | Request) -> str:
        return CHALLENGE


def _wrong_credentials() -> AuthenticationFailed:
    return AuthenticationFailed("No active account found with the given credentials", code="no_active_account")


def _pair(pair: TokenPair) -> Response:
    return Response(TokenPairSerializer(pair).data)


def _invalid(error: TokenError) -> InvalidToken:
    detail = str(error.args[0]) if error.args else None
    match error:
        case SessionReusedError():
            return InvalidToken(detail, code="session_reused")
        case SessionExpiredError():
            return InvalidToken(detail, code="session_expired")
        case _:
            return InvalidToken(detail)


class TokenView(AuthView):
    def throttled(self, request: Request, wait: float) -> NoReturn:
        security.record("sign_in", "limited")
        super().throttled(request, wait)

    @extend_schema(
        request=CredentialsSerializer,
        responses={200: TokenPairSerializer},
        parameters=[
            OpenApiParameter(
                devices.HEADER,
                str,
                OpenApiParameter.HEADER,
                description="For a client without cookies: empty at its first sign-in, later what the last successful "
                "one answered in this header.",
            ),
            OpenApiParameter(
                devices.HEADER,
                str,
                OpenApiParameter.HEADER,
                response=[200],
                description="The token of this device, if the request had this header.",
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Sign in. The pair of tokens starts a session. A deactivated user gets the same error as a wrong password.

        After too many failures for one user name, 429. A device on which this user has signed in before, with the
        cookie or the header `Device-Token`, is not limited by the failures of others.
        """
        credentials = checked(CredentialsSerializer, request.data)
        user = sign_in(request, **credentials, event="sign_in")
        if user is None:
            raise _wrong_credentials()
        try:
            response = _pair(session_start(user=user))
        except SessionsEndedError:
            raise _wrong_credentials() from None
        devices.remember_device(request, response, user)
        return response


class RefreshView(AuthView):
    @extend_schema(request=RefreshSerializer, responses={200: TokenPairSerializer})
    def post(self, request: Request) -> Response:
        """Exchange a refresh token for a new pair of the same session.

        If the answer is lost, repeat the request: within 30 seconds it returns the same refresh token. A later use of a
        spent token ends the session with 401 and the code `session_reused`, as a sign of theft. A session that has
        lasted 90 days is over: 401 with the code `session_expired`.
        """
        encoded: str = checked(RefreshSerializer, request.data)["refresh"]
        try:
            return _pair(session_rotate(encoded_refresh=encoded))
        except TokenError as error:
            raise _invalid(error) from None


class VerifyView(AuthView):
    @extend_schema(
        request=VerifySerializer,
        responses={200: OpenApiResponse({"type": "object"}, "The token is valid. The object is empty.")},
    )
    def post(self, request: Request) -> Response:
        """Check a token of either kind: 200 while it is valid, not spent, and its session has not ended."""
        encoded: str = checked(VerifySerializer, request.data)["token"]
        try:
            user = user_of_token(encoded)
        except TokenError as error:
            raise _invalid(error) from None
        if user is None:
            raise InvalidToken("Token is revoked")
        answer: dict[str, Any] = {}
        return Response(answer)


class LogoutView(AuthView):
    @extend_schema(
        request=RefreshSerializer, responses={205: OpenApiResponse(None, "The session and its connections are closed.")}
    )
    def post(self, request: Request) -> Response:
        """End the session of a refresh token, also of one just spent: its tokens are no longer accepted."""
        encoded: str = checked(RefreshSerializer, request.data)["refresh"]
        try:
            session_end(encoded_refresh=encoded)
        except TokenError as error:
            raise _invalid(error) from None
        return Response(status=205)

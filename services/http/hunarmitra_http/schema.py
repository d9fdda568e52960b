"""The description of the REST API: OpenAPI 3.1, with every error response."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerFieldExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import build_basic_type
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse

from hunarmitra.protocol.schemas import TIMESTAMP
from hunarmitra_http.serializers.errors import ErrorSerializer, InvalidRequestSerializer
from hunarmitra_http.spectacular_adapter import DescribesAnswers

Json = dict[str, Any]

ERRORS: Final[dict[int, str]] = {
    400: "The request is not valid.",
    401: "No token, or one that is invalid, expired or revoked; or wrong credentials.",
    403: "The user may not do this.",
    404: "The resource does not exist, or the user may not see it.",
    405: "The path has no such method.",
    409: "The state does not allow it, for any user.",
    413: "The body is too large.",
    415: "The body is not `application/json`, or it is compressed.",
    429: "Too many requests.",
    503: "The database cannot be reached.",
}
_RETRY_AFTER: Final[Json] = {
    "Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}, "description": "Seconds."}
}
_HEADERS: Final[dict[int, Json]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"type": "string"}}},
    429: _RETRY_AFTER,
    503: _RETRY_AFTER,
}
EVERYWHERE: Final = (400, 405, 429, 503)  # 400 also for a `Host` that is not served
WITH_A_BODY: Final = (413, 415)


class ApiSchema(DescribesAnswers):
    """Add the error responses: those of every view, those of an operation's form, and the view's ``refusals``."""

    def get_operation(self, *args: Any, **kwargs: Any) -> Json | None:
        operation: Json | None = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        for status in sorted(self._error_statuses(operation)):
            operation["responses"].setdefault(str(status), self._error(status))
        return operation

    def _error_statuses(self, operation: Json) -> set[int]:
        statuses = {*EVERYWHERE, *getattr(self.view, "refusals", {}).get(self.method, ())}
        if self.view.get_authenticators():
            statuses.add(401)
        if "requestBody" in operation:
            statuses |= {*WITH_A_BODY}
        parameters = operation.get("parameters", ())
        # A page after the last is 404 too.
        if any(parameter["in"] == "path" or parameter["name"] == "page" for parameter in parameters):
            statuses.add(404)
        return statuses

    def _error(self, status: int) -> Json:
        serializer = InvalidRequestSerializer if status == 400 else ErrorSerializer
        answer = self.describe_answer(OpenApiResponse(serializer, ERRORS[status]), status)
        if status in _HEADERS:
            answer["headers"] = _HEADERS[status]
        return answer


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "hunarmitra_http.authentication.SessionJWTAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: AutoSchema) -> Json:
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class IdentifierSchema(OpenApiSerializerFieldExtension):
    target_class = "hunarmitra_http.fields.Identifier"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        return {**(build_basic_type(OpenApiTypes.UUID) or {})}


class MomentSchema(OpenApiSerializerFieldExtension):
    target_class = "hunarmitra_http.fields.Moment"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        if direction == "response":
            return {name: TIMESTAMP[name] for name in ("type", "format", "pattern")}
        return {**(build_basic_type(OpenApiTypes.DATETIME) or {})}


class ChoiceSchema(OpenApiSerializerFieldExtension):
    target_class = "hunarmitra_http.fields.Choice"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        words = list(self.target.words)
        return {"type": "string", "enum": words} if len(words) > 1 else {"type": "string", "const": words[0]}


class WholeNumberSchema(OpenApiSerializerFieldExtension):
    target_class = "hunarmitra_http.fields.WholeNumber"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        return {"type": "integer", "minimum": self.target.minimum, "maximum": self.target.maximum}


class NumberSchema(OpenApiSerializerFieldExtension):
    target_class = "hunarmitra_http.fields.Number"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        return {"type": "number", "format": "double", "minimum": self.target.minimum, "maximum": self.target.maximum}


class DecimalNumberSchema(OpenApiSerializerFieldExtension):
    target_class = "hunarmitra_http.fields.DecimalNumber"

    def map_serializer_field(self, auto_schema: AutoSchema, direction: str) -> Json:
        field = self.target
        if direction == "response":
            return {"type": "string", "format": "decimal", "pattern": rf"^-?\d+\.\d{{{field.places}}}$"}
        bounds = {"minimum": float(field.minimum), "maximum": float(field.maximum)}
        text = {"type": "string", "format": "decimal", "pattern": f"^{field.pattern.pattern}$"}
        return {"oneOf": [{"type": "number", **bounds}, text]}

"""Bodies of signing in and out, of users and of tickets."""

from __future__ import annotations

from typing import Any, Final

from rest_framework import serializers

from hunarmitra.accounts.models import Role, User
from hunarmitra_http.fields import Choice, Identifier, Text

LONGEST_TOKEN: Final = 8192
ROLES: Final = tuple(Role.values)


class CredentialsSerializer(serializers.Serializer[Any]):
    username = Text(max_length=150, trim_whitespace=False)
    password = Text(max_length=1024, trim_whitespace=False, style={"input_type": "password"})


class RefreshSerializer(serializers.Serializer[Any]):
    refresh = Text(max_length=LONGEST_TOKEN)


class VerifySerializer(serializers.Serializer[Any]):
    token = Text(max_length=LONGEST_TOKEN)


class TokenPairSerializer(serializers.Serializer[Any]):
    access = serializers.CharField(help_text="For `Authorization: Bearer`, and to open connections.")
    refresh = serializers.CharField(help_text="For one exchange at `auth/refresh/`.")


class PersonSerializer(serializers.Serializer[User]):
    """A person of a booking, as shown to the other persons."""

    id = Identifier()
    name = serializers.CharField()


class UserSerializer(PersonSerializer):
    role = Choice(ROLES, source="effective_role")


class WorkerSerializer(PersonSerializer):
    available = serializers.SerializerMethodField(
        help_text="False while the worker is on the way to a booking, or at its site."
    )

    def get_available(self, worker: Any) -> bool:
        return not worker.busy


class TicketSerializer(serializers.Serializer[Any]):
    ticket = serializers.CharField(help_text="For `?ticket=` of one WebSocket handshake.")
    expires_in = serializers.IntegerField(help_text="Seconds.")

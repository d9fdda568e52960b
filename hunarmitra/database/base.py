"""Django's name for a database backend's module: ``ENGINE`` is ``hunarmitra.database``."""

from hunarmitra.database.django_adapter import DatabaseWrapper

__all__ = ["DatabaseWrapper"]

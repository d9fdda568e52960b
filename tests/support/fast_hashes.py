"""Django's password hash with one iteration instead of a million."""

from __future__ import annotations

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class FastPasswordHasher(PBKDF2PasswordHasher):
    iterations = 1

"""Every way to set a password applies AUTH_PASSWORD_VALIDATORS; the services are in test_ends.py."""

from __future__ import annotations

import getpass

import pytest
from django.core.management import CommandError, call_command
from django.forms import Form

from hunarmitra.accounts.models import User
from hunarmitra_http.admin_forms import NewUserForm, OwnPasswordForm, PasswordOfOtherForm
from tests.services.people import People

WEAK = pytest.mark.parametrize(
    "password", ["short", "password123", "owner-owner"], ids=["short", "common", "like the name"]
)
GOOD = "a-mango-in-may"


def twice(password: str) -> dict[str, str]:
    return {"password1": password, "password2": password}


def superuser(monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    monkeypatch.setenv("DJANGO_SUPERUSER_PASSWORD", password)
    call_command("createsuperuser", "--no-input", username="owner-owner", name="Root")


@WEAK
def test_createsuperuser_without_input_rejects_a_weak_password(
    db: None, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    with pytest.raises(CommandError, match=r"DJANGO_SUPERUSER_PASSWORD: .*(short|common|similar)"):
        superuser(monkeypatch, password)
    assert not User.objects.exists()


def test_createsuperuser_without_input_takes_a_good_password(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    superuser(monkeypatch, GOOD)
    assert User.objects.get().check_password(GOOD)


@WEAK
def test_changepassword_rejects_a_weak_password(people: People, monkeypatch: pytest.MonkeyPatch, password: str) -> None:
    name_owner(people)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: password)
    with pytest.raises(CommandError, match="not changed"):
        call_command("changepassword", "owner-owner")
    assert not User.objects.get(pk=people.owner.pk).check_password(password)


@WEAK
@pytest.mark.parametrize("form", [PasswordOfOtherForm, OwnPasswordForm], ids=["another's", "one's own"])
def test_the_admin_rejects_a_weak_new_password(people: People, form: type[Form], password: str) -> None:
    owner = name_owner(people)
    owner.set_password(GOOD)
    names = ("new_password1", "new_password2") if form is OwnPasswordForm else ("password1", "password2")
    filled = form(owner, {"old_password": GOOD, **dict.fromkeys(names, password)})  # type: ignore[arg-type]
    assert set(filled.errors) == {names[1]}, filled.errors


@WEAK
def test_the_admin_rejects_a_weak_password_of_a_new_user(db: None, password: str) -> None:
    filled = NewUserForm({"username": "owner-owner", "name": "New", "role": "employer", **twice(password)})
    assert set(filled.errors) == {"password2"}, filled.errors


def name_owner(people: People) -> User:
    """Give the owner the name that a password must not resemble."""
    User.objects.filter(pk=people.owner.pk).update(username="owner-owner")
    return User.objects.get(pk=people.owner.pk)

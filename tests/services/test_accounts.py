"""Services and selectors of accounts: sessions, tokens, tickets, rights, and the revocations that end them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.core.exceptions import ValidationError
from django.core.management import CommandError, call_command
from django.db import transaction
from django.db.models import ProtectedError
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.token_blacklist.models import BlacklistedToken, OutstandingToken

from hunarmitra.accounts import retention, selectors, services
from hunarmitra.accounts.access_tokens import read_access_token
from hunarmitra.accounts.models import Role, Session, Ticket, User
from hunarmitra.accounts.results import TokenPair
from hunarmitra.accounts.tokens import Identity
from hunarmitra.common.clock import utc_now
from hunarmitra.outbox.models import Revocation
from hunarmitra.protocol.statuses import Status
from tests.services.conftest import CommittedBlock, RecordingLayer
from tests.services.people import People


def revocations() -> list[tuple[str, object]]:
    return list(Revocation.objects.order_by("number").values_list("kind", "subject"))


def identity_of(pair: TokenPair) -> Identity:
    return read_access_token(pair.access)


def is_signed_in(pair: TokenPair) -> bool:
    return selectors.user_of_session(identity_of(pair)) is not None


# ── users ───────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("character", ["\n", "\x1b", "\x85", "\u202e", "\u2066"], ids=ascii)
@pytest.mark.parametrize("field", ["username", "name"])
def test_hidden_characters_of_a_name_are_rejected(db: None, field: str, character: str) -> None:
    names = {"username": "asha", "name": "Asha", field: f"As{character}ha"}
    with pytest.raises(ValidationError, match=f"U\\+{ord(character):04X}") as error:
        services.user_create(**names, password=None)
    assert set(error.value.message_dict) == {field}
    assert not User.objects.filter(**{field: names[field]}).exists()


@pytest.mark.parametrize("field", ["name", "phone"])
def test_hidden_characters_are_rejected_by_every_form(db: None, field: str) -> None:
    texts = {"username": "asha", "name": "Asha", "phone": "", field: "As\u202eha"}
    with pytest.raises(ValidationError, match=r"U\+202E") as error:
        User(**texts, password="x").full_clean()
    assert set(error.value.message_dict) == {field}


def test_the_first_superuser_has_no_hidden_characters_in_the_name(db: None) -> None:
    with pytest.raises(CommandError, match=r"U\+202E"):
        call_command("createsuperuser", "--no-input", username="root", name="Ro\u202eot")
    assert not User.objects.exists()


@pytest.mark.parametrize(("role", "staff"), [(Role.EMPLOYER, False), (Role.WORKER, False), (Role.ADMIN, True)], ids=str)
def test_only_admins_are_staff(role: Role, staff: bool) -> None:
    user = services.user_create(username="new", password="s3cret-pass", name="New", role=role)
    assert (user.is_staff, user.is_superuser, user.effective_role) == (staff, staff, role)
    assert user.check_password("s3cret-pass")


def test_without_a_password_nobody_signs_in_with_one() -> None:
    assert not services.user_create(username="new", password=None, name="New").has_usable_password()


@pytest.mark.parametrize("fields", [{"username": ""}, {"username": "owner"}, {"name": ""}, {"role": "king"}], ids=str)
def test_a_user_is_checked_before_it_is_stored(people: People, fields: dict[str, str]) -> None:
    count = User.objects.count()
    with pytest.raises(ValidationError):
        services.user_create(**{"username": "new", "password": "s3cret-pass", "name": "New", **fields})
    assert User.objects.count() == count


def test_a_user_without_bookings_is_deleted_and_revoked(people: People) -> None:
    gone = people.stranger.pk
    services.user_delete(user_id=gone)
    assert not User.objects.filter(pk=gone).exists()
    assert revocations() == [("user", gone)]


def test_a_user_whom_bookings_name_is_not_deleted(people: People) -> None:
    people.booking()
    with pytest.raises(ProtectedError):
        services.user_delete(user_id=people.owner.pk)
    assert revocations() == []


# ── sessions and tokens ─────────────────────────────────────────────────────────────────────────────────────
def test_a_session_names_its_user(people: People) -> None:
    pair = services.session_start(user=people.owner)
    assert selectors.user_of_session(identity_of(pair)) == people.owner
    assert selectors.user_of_token(pair.access) == people.owner
    assert selectors.user_of_token(pair.refresh) == people.owner


def test_rotating_keeps_the_session_and_spends_the_token(people: People) -> None:
    first = services.session_start(user=people.owner)
    Session.objects.update(expires_at=utc_now() + timedelta(seconds=1))
    second = services.session_rotate(encoded_refresh=first.refresh)
    assert identity_of(second).session_id == identity_of(first).session_id
    assert is_signed_in(first), "the access token lives to its expiry"
    assert Session.objects.get().expires_at > utc_now() + timedelta(minutes=1)
    with pytest.raises(TokenError):
        selectors.user_of_token(first.refresh)
    services.session_rotate(encoded_refresh=second.refresh)
    assert revocations() == []


@pytest.mark.parametrize("token", ["", "x", "a.b.c"], ids=repr)
def test_what_is_not_a_token_is_rejected(token: str) -> None:
    for read in (
        lambda: services.session_rotate(encoded_refresh=token),
        lambda: services.session_end(encoded_refresh=token),
        lambda: selectors.user_of_token(token),
        lambda: read_access_token(token),
    ):
        with pytest.raises(TokenError):
            read()


def test_a_token_of_the_other_kind_is_rejected(people: People) -> None:
    pair = services.session_start(user=people.owner)
    with pytest.raises(TokenError):
        services.session_rotate(encoded_refresh=pair.access)
    with pytest.raises(TokenError):
        read_access_token(pair.refresh)


def test_several_sessions_are_read_in_one_query(
    people: People, django_assert_num_queries: Callable[..., Callable[..., object]]
) -> None:
    first, second = (identity_of(services.session_start(user=user)) for user in (people.owner, people.worker))
    revoked = identity_of(services.session_start(user=people.staff))
    services.session_revoke(session_id=revoked.session_id)
    forged = Identity(user_id=people.staff.pk, session_id=first.session_id, expires_at=first.expires_at)
    with django_assert_num_queries(1):  # type: ignore[attr-defined]
        found = selectors.users_of_sessions([first, second, revoked, forged])
    assert found == {first: people.owner, second: people.worker}
    assert selectors.users_of_sessions([]) == {}


# ── what ends a session, and the revocations it records ─────────────────────────────────────────────────────
def _sign_out(people: People, pair: TokenPair) -> None:
    services.session_end(encoded_refresh=pair.refresh)


def _revoke(people: People, pair: TokenPair) -> None:
    assert services.session_revoke(session_id=identity_of(pair).session_id)


def _deactivate(people: People, pair: TokenPair) -> None:
    services.user_set_active(user_id=people.owner.pk, active=False)


def _change_password(people: People, pair: TokenPair) -> None:
    services.user_set_password(user_id=people.owner.pk, password="another-pass")


def _sign_out_everywhere(people: People, pair: TokenPair) -> None:
    assert services.user_sign_out(user_id=people.owner.pk) == 2


@pytest.mark.parametrize(
    ("end", "kinds", "other_session_lives"),
    [
        (_sign_out, ["session"], True),
        (_revoke, ["session"], True),
        (_deactivate, ["user"], False),
        (_change_password, ["session", "session"], False),
        (_sign_out_everywhere, ["session", "session"], False),
    ],
    ids=lambda value: getattr(value, "__name__", "").strip("_") or str(value),
)
def test_each_end_records_exactly_these_revocations_and_announces_them(
    people: People,
    layer: RecordingLayer,
    committed: CommittedBlock,
    end: Callable[[People, TokenPair], None],
    kinds: list[str],
    other_session_lives: bool,
) -> None:
    pair, other = (services.session_start(user=people.owner) for _ in range(2))
    somebody = services.session_start(user=people.worker)
    with committed():
        end(people, pair)
    assert [kind for kind, _ in revocations()] == kinds
    announced = [(message.channel, message.body["kind"], message.body["subject"]) for message in layer.take()]
    assert announced == [("control", kind, str(subject)) for kind, subject in revocations()]
    assert not is_signed_in(pair)
    assert is_signed_in(other) is other_session_lives
    assert is_signed_in(somebody)
    with pytest.raises(TokenError):
        services.session_rotate(encoded_refresh=pair.refresh)


def test_ending_twice_records_once(people: People) -> None:
    pair = services.session_start(user=people.owner)
    session = identity_of(pair).session_id
    assert services.session_revoke(session_id=session) is True
    assert services.session_revoke(session_id=session) is False
    assert services.session_revoke(session_id=uuid4()) is False
    assert services.user_sign_out(user_id=people.owner.pk) == 0
    services.user_set_active(user_id=people.owner.pk, active=True)
    assert revocations() == [("session", session)]


def test_activating_again_revives_no_session(people: People) -> None:
    pair = services.session_start(user=people.owner)
    for active in (False, True):
        services.user_set_active(user_id=people.owner.pk, active=active)
    assert not is_signed_in(pair)
    with pytest.raises(TokenError):
        services.session_rotate(encoded_refresh=pair.refresh)
    people.owner.refresh_from_db()
    assert is_signed_in(services.session_start(user=people.owner))


def test_signing_out_ends_a_session_whose_token_is_within_its_leeway(people: People) -> None:
    pair = services.session_start(user=people.owner)
    Session.objects.update(expires_at=utc_now() - timedelta(seconds=1))
    assert services.user_sign_out(user_id=people.owner.pk) == 1
    with pytest.raises(TokenError):
        services.session_rotate(encoded_refresh=pair.refresh)


def test_activating_records_nothing_and_deactivating_twice_once(people: People) -> None:
    for active in (True, False, False, True):
        services.user_set_active(user_id=people.owner.pk, active=active)
    assert revocations() == [("user", people.owner.pk)]


@pytest.mark.parametrize(
    ("before", "change", "revoked"),
    [
        ({"is_staff": True}, lambda pk: services.user_set_staff(user_id=pk, staff=False), True),
        ({"is_staff": True, "role": "admin"}, lambda pk: services.user_set_staff(user_id=pk, staff=False), False),
        ({"is_staff": False}, lambda pk: services.user_set_staff(user_id=pk, staff=True), False),
        ({"role": "admin"}, lambda pk: services.user_set_role(user_id=pk, role="worker"), True),
        ({"role": "admin", "is_staff": True}, lambda pk: services.user_set_role(user_id=pk, role="worker"), False),
        ({"role": "employer"}, lambda pk: services.user_set_role(user_id=pk, role="admin"), False),
    ],
    ids=["staff", "staff, still admin", "made staff", "admin", "admin, still staff", "made admin"],
)
def test_losing_the_staff_right_is_a_revocation(
    people: People, before: dict[str, object], change: Callable[[object], None], revoked: bool
) -> None:
    User.objects.filter(pk=people.stranger.pk).update(**before)
    change(people.stranger.pk)
    assert revocations() == ([("staff", people.stranger.pk)] if revoked else [])


def test_without_a_password_after_a_change_nobody_signs_in_with_one(people: People) -> None:
    services.user_set_password(user_id=people.owner.pk, password=None)
    assert not User.objects.get(pk=people.owner.pk).has_usable_password()


# ── tickets ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_ticket_is_claimed_once(people: People) -> None:
    identity = identity_of(services.session_start(user=people.owner))
    issued = services.ticket_issue(identity=identity)
    assert issued.ticket.startswith("hmt_")
    assert issued.ticket not in str(list(Ticket.objects.values())), "only its hash is stored"
    assert services.ticket_claim(secret=issued.ticket) == identity
    assert services.ticket_claim(secret=issued.ticket) is None


@pytest.mark.parametrize("why", ["expired", "unknown"])
def test_a_ticket_that_is_not_valid_gives_nothing(people: People, why: str) -> None:
    issued = services.ticket_issue(identity=identity_of(services.session_start(user=people.owner)))
    if why == "expired":
        Ticket.objects.update(expires_at=utc_now() - timedelta(seconds=1))
    secret = issued.ticket if why == "expired" else issued.ticket + "x"
    assert services.ticket_claim(secret=secret) is None
    assert Ticket.objects.get().used_at is None


def test_a_ticket_of_an_ended_session_names_nobody(people: People) -> None:
    identity = identity_of(services.session_start(user=people.owner))
    issued = services.ticket_issue(identity=identity)
    services.session_revoke(session_id=identity.session_id)
    claimed = services.ticket_claim(secret=issued.ticket)
    assert claimed is None or selectors.user_of_session(claimed) is None


# ── notification numbers, workers, retention ────────────────────────────────────────────────────────────────
def test_notification_numbers_are_reserved_in_blocks(people: People) -> None:
    owner, worker = people.owner.pk, people.worker.pk
    with transaction.atomic():
        assert services.notification_seq_advance(counts={owner: 2, worker: 1}) == {owner: 1, worker: 1}
        assert services.notification_seq_advance(counts={owner: 1}) == {owner: 3}
        assert services.notification_seq_advance(counts={}) == {}


@pytest.mark.parametrize(
    ("status", "busy"),
    [
        (Status.CONFIRMED, 0),
        (Status.ON_THE_WAY, 1),
        (Status.ARRIVED, 1),
        (Status.COMPLETED, 0),
    ],
)
def test_a_worker_is_busy_on_the_way_and_at_work(people: People, status: Status, busy: int) -> None:
    people.booking(status)
    workers = [(user.username, user.busy) for user in selectors.worker_list()]  # type: ignore[attr-defined]
    assert workers == [("other_worker", 0), ("worker", busy)]


def test_deactivated_workers_are_not_listed(people: People) -> None:
    services.user_set_active(user_id=people.worker.pk, active=False)
    assert [user.username for user in selectors.worker_list()] == ["other_worker"]


def test_expired_sessions_and_tickets_are_pruned(people: People) -> None:
    old, young = (identity_of(services.session_start(user=people.owner)) for _ in range(2))
    for identity in (old, young):
        services.ticket_issue(identity=identity)
    now = utc_now()
    assert retention.tickets_prune(now=now, dry_run=False) == 0
    assert retention.sessions_prune(now=now, dry_run=False) == 0
    Ticket.objects.filter(session_id=old.session_id).update(expires_at=now - timedelta(seconds=1))
    Session.objects.filter(pk=old.session_id).update(expires_at=now - timedelta(seconds=1))
    for prune in (retention.tickets_prune, retention.sessions_prune):
        assert prune(now=now, dry_run=True) == 1
        assert prune(now=now, dry_run=False) == 1
    assert Session.objects.get().pk == Ticket.objects.get().session_id == young.session_id


def test_spent_tokens_stay_known_within_the_leeway(people: People) -> None:
    """An expired token is accepted within the leeway, so a spent one would be valid again without its entry."""
    pair = services.session_start(user=people.owner)
    services.session_rotate(encoded_refresh=pair.refresh)
    now = utc_now()
    OutstandingToken.objects.filter(blacklistedtoken__isnull=False).update(expires_at=now - timedelta(seconds=5))
    OutstandingToken.objects.filter(blacklistedtoken__isnull=True).update(expires_at=now - timedelta(days=8))
    assert retention.refresh_tokens_prune(now=now, dry_run=False) == 1
    assert (OutstandingToken.objects.count(), BlacklistedToken.objects.count()) == (1, 1)
    assert retention.browser_sessions_prune(now=now, dry_run=False) == 0

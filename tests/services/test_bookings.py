"""Services and selectors of bookings: the roles for each action, and all that it writes and publishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from hunarmitra.accounts.services import user_set_active
from hunarmitra.bookings import selectors
from hunarmitra.bookings.errors import (
    BookingError,
    ConflictError,
    InvalidWorkerError,
    NotAllowedError,
    NotVisibleError,
)
from hunarmitra.bookings.models import Booking, BookingEvent
from hunarmitra.bookings.retention import booking_events_prune
from hunarmitra.bookings.services import booking_assign, booking_create, booking_status_change, is_tracked
from hunarmitra.bookings.transitions import BookingRole
from hunarmitra.common.clock import utc_now
from hunarmitra.notifications.models import Notification
from hunarmitra.outbox.models import Revocation
from hunarmitra.protocol.statuses import FINAL, TRACKED, Status
from tests.services.conftest import CommittedBlock, RecordingLayer
from tests.services.people import ORDER, People

EVERYBODY = ("owner", "worker", "staff", "stranger", "other_worker")
ALLOWED = {
    ("requested", "confirmed"): {"owner", "worker", "staff"},
    ("confirmed", "on_the_way"): {"worker", "staff"},
    ("on_the_way", "arrived"): {"worker", "staff"},
    ("arrived", "completed"): {"worker", "staff"},
    ("requested", "cancelled"): {"owner", "staff"},
    ("confirmed", "cancelled"): {"owner", "staff"},
    ("on_the_way", "cancelled"): {"owner", "staff"},
    ("arrived", "cancelled"): {"owner", "staff"},
}
"""Written from the API document, not from the code."""


def state(booking: Booking) -> dict[str, Any]:
    return dict(Booking.objects.values().get(pk=booking.pk))


def events(booking: Booking) -> list[tuple[int, str, str]]:
    return list(booking.events.order_by("seq").values_list("seq", "event_type", "actor"))


def told() -> list[tuple[str, int, str]]:
    """Return recipient, seq and event of each notification."""
    rows = Notification.objects.order_by("user__username", "seq")
    return [(row.user.username, row.seq, row.data["event_type"]) for row in rows.select_related("user")]


# ── transitions ─────────────────────────────────────────────────────────────────────────────────────────────
def refusal(current: Status, wanted: Status, who: str) -> tuple[type[BookingError], str] | None:
    """Return the error type and code that the change must raise; None if it is allowed or changes nothing."""
    assigned = current not in {Status.REQUESTED, Status.CANCELLED}
    if who in {"stranger", "other_worker"} or (who == "worker" and not assigned):
        return NotVisibleError, "not_found"
    if wanted == current:
        return None
    if (current.value, wanted.value) not in ALLOWED:
        return ConflictError, "illegal_transition"
    return None if who in ALLOWED[current.value, wanted.value] else (NotAllowedError, "permission_denied")


@pytest.mark.parametrize("who", EVERYBODY)
@pytest.mark.parametrize("wanted", list(Status))
@pytest.mark.parametrize("current", list(Status))
def test_every_transition_for_everybody(people: People, current: Status, wanted: Status, who: str) -> None:
    booking = people.booking(current)
    before, log, notified = state(booking), events(booking), told()
    expected = refusal(current, wanted, who)
    user = people.named(who)
    if expected is not None:
        with pytest.raises(expected[0]) as caught:
            booking_status_change(booking_id=booking.pk, user=user, status=wanted)
        assert caught.value.code == expected[1]
    else:
        booking = booking_status_change(booking_id=booking.pk, user=user, status=wanted)
        assert booking.status == wanted
    if expected is not None or wanted == current:
        assert (state(booking), events(booking), told()) == (before, log, notified), "nothing changed"
    else:
        seq = before["seq"] + 1
        assert state(booking)["seq"] == seq
        assert events(booking) == [*log, (seq, f"booking_{wanted}", user.name)]
        assert (state(booking)["finished_at"] is not None) is (wanted in FINAL)


def test_a_transition_publishes_exactly_its_events(
    people: People, layer: RecordingLayer, committed: CommittedBlock
) -> None:
    booking = people.booking(Status.CONFIRMED)
    with committed():
        booking_status_change(booking_id=booking.pk, user=people.worker, status=Status.ON_THE_WAY, eta_minutes=12)
    newest = Notification.objects.get(user=people.owner, data__event_type="booking_on_the_way")
    assert [(message.channel, message.body["seq"]) for message in layer.take()] == [
        (f"booking.{booking.pk}", 4),
        (f"user.{people.owner.pk}", newest.seq),
    ]
    assert (newest.title, newest.message) == ("On the way", "Worker is on the way for Plumbing.")
    assert newest.data == {
        "booking_id": str(booking.pk),
        "event_type": "booking_on_the_way",
        "status": "on_the_way",
        "seq": 4,
        "service": "Plumbing",
        "worker": "Worker",
    }


def test_a_repeated_status_publishes_nothing(people: People, layer: RecordingLayer, committed: CommittedBlock) -> None:
    booking = people.booking(Status.CONFIRMED)
    with committed():
        booking_status_change(booking_id=booking.pk, user=people.worker, status=Status.CONFIRMED)
    assert layer.take() == []


@pytest.mark.parametrize(
    ("expected_seq", "status", "code"),
    [
        (None, Status.ON_THE_WAY, None),
        (3, Status.ON_THE_WAY, None),
        (2, Status.ON_THE_WAY, "seq_mismatch"),
        (4, Status.ON_THE_WAY, "seq_mismatch"),
        (2, Status.CONFIRMED, None),  # a repeated request: the booking already has this status
        (2, Status.COMPLETED, "seq_mismatch"),
        (3, Status.COMPLETED, "illegal_transition"),
    ],
)
def test_seq_makes_it_compare_and_set(
    people: People, expected_seq: int | None, status: Status, code: str | None
) -> None:
    booking = people.booking(Status.CONFIRMED)
    assert booking.seq == 3

    def change() -> Booking:
        return booking_status_change(
            booking_id=booking.pk, user=people.worker, status=status, expected_seq=expected_seq
        )

    if code is None:
        assert change().status == status
        return
    with pytest.raises(ConflictError) as caught:
        change()
    assert caught.value.code == code
    assert state(booking)["seq"] == 3


def test_an_eta_is_kept_until_the_arrival(people: People) -> None:
    booking = people.booking(Status.CONFIRMED)
    booking_status_change(booking_id=booking.pk, user=people.worker, status=Status.ON_THE_WAY, eta_minutes=12)
    assert state(booking)["eta_minutes"] == 12
    assert booking.events.get(seq=4).eta_minutes == 12
    booking_status_change(booking_id=booking.pk, user=people.worker, status=Status.ARRIVED, eta_minutes=7)
    assert state(booking)["eta_minutes"] is None
    assert booking.events.get(seq=5).eta_minutes is None


@pytest.mark.parametrize("final", sorted(FINAL))
def test_a_final_status_clears_the_location(people: People, final: Status) -> None:
    booking = people.booking(Status.ARRIVED)
    located(booking)
    booking_status_change(booking_id=booking.pk, user=people.staff, status=final)
    after = state(booking)
    assert [after[f"location_{name}"] for name in ("lat", "lng", "at")] == [None, None, None]
    assert after["min_location_seq"] == after["seq"] == 6
    assert booking.events.get(seq=6).clears_location


def located(booking: Booking) -> None:
    Booking.objects.filter(pk=booking.pk).update(location_lat=28.6, location_lng=77.2, location_at=utc_now())


@pytest.mark.parametrize("status", list(Status))
def test_locations_are_tracked_from_the_confirmation_to_the_end(people: People, status: Status) -> None:
    assert is_tracked(people.booking(status)) is (status in TRACKED)
    assert {Status.CONFIRMED, Status.ON_THE_WAY, Status.ARRIVED} == set(TRACKED)


def test_a_booking_that_does_not_exist_is_not_visible(people: People) -> None:
    with pytest.raises(NotVisibleError):
        booking_status_change(booking_id=uuid4(), user=people.staff, status=Status.CONFIRMED)
    with pytest.raises(NotVisibleError):
        booking_assign(booking_id=uuid4(), staff=people.staff, worker_id=people.worker.pk)


# ── creating ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(("who", "allowed"), [("owner", True), ("staff", True), ("worker", False)])
def test_who_creates_bookings(people: People, who: str, allowed: bool) -> None:
    user = people.named(who)
    if not allowed:
        with pytest.raises(NotAllowedError):
            booking_create(owner=user, order=ORDER)
        assert not Booking.objects.exists()
        return
    booking, new = booking_create(owner=user, order=ORDER)
    assert new
    assert (booking.status, booking.seq, booking.owner, booking.worker) == ("requested", 1, user, None)


def test_creating_publishes_the_first_event_and_tells_nobody(
    people: People, layer: RecordingLayer, committed: CommittedBlock
) -> None:
    with committed():
        booking, _ = booking_create(owner=people.owner, order=ORDER)
    assert events(booking) == [(1, "booking_requested", "Owner")]
    assert [message.channel for message in layer.take()] == [f"booking.{booking.pk}"]
    assert told() == [], "the owner did it"


def test_the_same_key_and_order_give_the_first_booking(people: People) -> None:
    order = replace(ORDER, lat=Decimal("28.613900"), lng=Decimal("77.209000"))
    first, new = booking_create(owner=people.owner, order=order, idempotency_key="k")
    again, new_again = booking_create(owner=people.owner, order=order, idempotency_key="k")
    assert (first.pk, new, new_again) == (again.pk, True, False)
    assert events(first) == [(1, "booking_requested", "Owner")]


def test_the_same_key_for_another_order_is_a_conflict(people: People) -> None:
    booking_create(owner=people.owner, order=ORDER, idempotency_key="k")
    with pytest.raises(ConflictError) as caught:
        booking_create(owner=people.owner, order=replace(ORDER, service="Wiring"), idempotency_key="k")
    assert caught.value.code == "idempotency_key_reused"
    assert Booking.objects.count() == 1


@pytest.mark.parametrize(("who", "key"), [("stranger", "k"), ("owner", "other"), ("owner", None)])
def test_another_owner_or_key_gives_another_booking(people: People, who: str, key: str | None) -> None:
    first, _ = booking_create(owner=people.owner, order=ORDER, idempotency_key="k")
    second, new = booking_create(owner=people.named(who), order=ORDER, idempotency_key=key)
    assert new
    assert first.pk != second.pk


# ── assigning ───────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Assignment:
    """Effects of an assignment by staff on a booking in `current`: events, notifications and revocations."""

    current: Status
    worker: str
    status: str
    events: list[str]
    told: list[tuple[str, str]]
    revoked: list[str]


ASSIGNMENTS = [
    Assignment(
        Status.REQUESTED,
        "worker",
        "confirmed",
        ["booking_assigned", "booking_confirmed"],
        [
            ("owner", "booking_assigned"),
            ("owner", "booking_confirmed"),
            ("worker", "booking_assigned"),
            ("worker", "booking_confirmed"),
        ],
        [],
    ),
    Assignment(Status.CONFIRMED, "worker", "confirmed", [], [], []),
    Assignment(
        Status.CONFIRMED,
        "other_worker",
        "confirmed",
        ["booking_assigned"],
        [("other_worker", "booking_assigned"), ("owner", "booking_assigned"), ("worker", "booking_assigned")],
        ["worker"],
    ),
    Assignment(
        Status.ON_THE_WAY,
        "other_worker",
        "on_the_way",
        ["booking_assigned"],
        [("other_worker", "booking_assigned"), ("owner", "booking_assigned"), ("worker", "booking_assigned")],
        ["worker"],
    ),
]


@pytest.mark.parametrize("case", ASSIGNMENTS, ids=lambda case: f"{case.current} to {case.worker}")
def test_an_assignment_does_exactly_this(
    people: People, layer: RecordingLayer, committed: CommittedBlock, case: Assignment
) -> None:
    booking = people.booking(case.current)
    located(booking)
    log, notified = len(events(booking)), set(told())
    with committed():
        changed = booking_assign(booking_id=booking.pk, staff=people.staff, worker_id=people.named(case.worker).pk)
    assert (changed.status, changed.worker) == (case.status, people.named(case.worker))
    assert [(kind, actor) for _, kind, actor in events(booking)[log:]] == [(kind, "Staff") for kind in case.events]
    assert [seq for seq, _, _ in events(booking)] == list(range(1, log + len(case.events) + 1))
    assert sorted((who, kind) for who, _, kind in set(told()) - notified) == case.told
    assert [(row.kind, row.subject, row.booking) for row in Revocation.objects.all()] == [
        ("assignment", people.named(who).pk, booking.pk) for who in case.revoked
    ]
    assert (state(booking)["location_lat"] is None) is bool(case.revoked), "the location was the other worker's"
    channels = [message.channel.partition(".")[0] for message in layer.take()]
    assert (channels.count("booking"), channels.count("user"), channels.count("control")) == (
        len(case.events),
        len(case.told),
        len(case.revoked),
    )


@pytest.mark.parametrize(
    ("who", "error"),
    [("owner", NotAllowedError), ("worker", NotAllowedError), ("stranger", NotVisibleError)],
)
def test_only_staff_assign(people: People, who: str, error: type[BookingError]) -> None:
    booking = people.booking(Status.CONFIRMED)
    with pytest.raises(error):
        booking_assign(booking_id=booking.pk, staff=people.named(who), worker_id=people.other_worker.pk)
    assert state(booking)["worker_id"] == people.worker.pk


@pytest.mark.parametrize("status", sorted(FINAL))
def test_a_finished_booking_gets_no_worker(people: People, status: Status) -> None:
    booking = people.booking(status)
    with pytest.raises(ConflictError) as caught:
        booking_assign(booking_id=booking.pk, staff=people.staff, worker_id=people.other_worker.pk)
    assert caught.value.code == "booking_finished"


@pytest.mark.parametrize(
    "worker",
    [lambda people: people.owner.pk, lambda people: people.staff.pk, lambda people: uuid4()],
    ids=["an employer", "staff", "nobody"],
)
def test_only_workers_are_assigned(people: People, worker: Callable[[People], Any]) -> None:
    booking = people.booking()
    with pytest.raises(InvalidWorkerError):
        booking_assign(booking_id=booking.pk, staff=people.staff, worker_id=worker(people))
    assert events(booking) == [(1, "booking_requested", "Owner")]


def test_a_deactivated_worker_is_not_assigned(people: People) -> None:
    booking = people.booking()
    user_set_active(user_id=people.worker.pk, active=False)
    with pytest.raises(InvalidWorkerError):
        booking_assign(booking_id=booking.pk, staff=people.staff, worker_id=people.worker.pk)


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────────────────
def test_numbers_have_no_gaps_after_rejected_changes(people: People) -> None:
    first, second = people.booking(Status.COMPLETED), people.booking(Status.ARRIVED)
    for booking in (first, second):
        with pytest.raises(ConflictError):
            booking_status_change(booking_id=booking.pk, user=people.staff, status=Status.CONFIRMED)
    booking_status_change(booking_id=second.pk, user=people.owner, status=Status.CANCELLED)
    for booking in (first, second):
        seqs = list(booking.events.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, state(booking)["seq"] + 1))
    for user in (people.owner, people.worker):
        user.refresh_from_db()
        seqs = list(user.notifications.order_by("seq").values_list("seq", flat=True))
        assert seqs == list(range(1, user.notification_seq + 1))


# ── selectors ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize(
    ("who", "roles"),
    [
        ("owner", {BookingRole.OWNER}),
        ("worker", {BookingRole.WORKER}),
        ("staff", {BookingRole.STAFF}),
        ("stranger", set()),
        ("other_worker", set()),
    ],
)
def test_roles_decide_what_a_user_sees(people: People, who: str, roles: set[BookingRole]) -> None:
    booking = people.booking(Status.CONFIRMED)
    user = people.named(who)
    assert selectors.roles_of(booking, user) == roles
    visible = [booking] if roles else []
    assert list(selectors.bookings_visible_to(user)) == visible
    assert selectors.booking_visible_to(user, booking.pk) == (booking if roles else None)


def test_bookings_are_listed_newest_first(people: People) -> None:
    made = [people.booking() for _ in range(3)]
    assert list(selectors.bookings_visible_to(people.owner)) == made[::-1]


@pytest.mark.parametrize(("since", "seqs"), [(0, [1, 2, 3]), (1, [2, 3]), (3, []), (9, [])])
def test_the_log_after_a_number(people: People, since: int, seqs: list[int]) -> None:
    booking = people.booking(Status.CONFIRMED)
    people.booking(Status.CONFIRMED)
    assert [event.seq for event in selectors.events_after(booking.pk, since)] == seqs


# ── retention ───────────────────────────────────────────────────────────────────────────────────────────────
def test_logs_of_bookings_that_ended_long_ago_are_pruned(people: People) -> None:
    old, recent, still_open = people.booking(Status.COMPLETED), people.booking(Status.CANCELLED), people.booking()
    before = utc_now() - timedelta(days=90)
    Booking.objects.filter(pk=old.pk).update(finished_at=before - timedelta(seconds=1))
    assert booking_events_prune(finished_before=before, dry_run=True) == 6
    assert BookingEvent.objects.filter(booking=old).count() == 6
    assert booking_events_prune(finished_before=before, dry_run=False) == 6
    assert booking_events_prune(finished_before=before, dry_run=False) == 0
    assert (state(old)["pruned_seq"], state(old)["seq"]) == (6, 6)
    for kept in (recent, still_open):
        assert len(events(kept)) == state(kept)["seq"]
        assert state(kept)["pruned_seq"] == 0

"""What a group hands to its sockets: in order, once, without a gap, in whatever order it arrives."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hunarmitra_ws.hub.groups import Group
from tests.unit.ws.fakes import RecordingLanes, make_socket


def _live_group(seq: int = 0) -> tuple[Group, RecordingLanes]:
    group = Group("booking.x")
    socket, lanes = make_socket()
    group.sockets[socket] = None
    group.start(seq=seq, floor=0, location_order=0)
    socket.go_live(seq=seq, location_order=0, floor=0)
    return group, lanes


@given(st.permutations(range(1, 13)), st.lists(st.integers(1, 12), max_size=20))
def test_any_order_with_any_repeats_is_handed_out_in_order_and_once(order: list[int], repeats: list[int]) -> None:
    group, lanes = _live_group()
    for seq in [*order[:6], *repeats, *order[6:], *repeats]:
        group.receive(seq, str(seq), False)
    assert lanes.texts == [str(seq) for seq in range(1, 13)]


def test_a_gap_is_reported_and_nothing_passes_it() -> None:
    group, lanes = _live_group()
    assert group.receive(1, "1", False)
    assert not group.receive(3, "3", False)
    assert lanes.texts == ["1"]
    assert group.receive(2, "2", False)
    assert lanes.texts == ["1", "2", "3"]


def test_events_before_the_start_wait_for_it() -> None:
    group = Group("booking.x")
    socket, lanes = make_socket()
    group.sockets[socket] = None
    for seq in (4, 6, 5):
        group.receive(seq, str(seq), False)
    group.start(seq=4, floor=0, location_order=0)
    socket.go_live(seq=4, location_order=0, floor=0)
    assert lanes.texts == ["5", "6"]


def test_an_event_held_back_during_a_join_comes_after_the_log_and_once() -> None:
    group, _ = _live_group(seq=2)
    joining, lanes = make_socket()
    group.sockets[joining] = None
    group.receive(3, "3", False)
    group.receive(4, "4", False)
    assert not joining.lacks_after(3, group.last_seq)
    joining.go_live(seq=3, location_order=0, floor=0)
    assert lanes.texts == ["4"]
    group.receive(5, "5", False)
    assert lanes.texts == ["4", "5"]


def test_a_read_from_before_what_the_group_handed_out_must_be_repeated() -> None:
    group, _ = _live_group(seq=2)
    group.receive(3, "3", False)
    late, _ = make_socket()
    group.sockets[late] = None
    assert late.lacks_after(2, group.last_seq)
    assert not late.lacks_after(3, group.last_seq)


def test_older_and_void_positions_are_dropped() -> None:
    group, lanes = _live_group(seq=3)
    group.receive_location(3, 200, "new")
    group.receive_location(3, 100, "old")
    seen = [lanes.location]
    group.receive(4, "reassigned", True)
    seen.append(lanes.location)
    group.receive_location(3, 300, "of the worker before")
    seen.append(lanes.location)
    # The new worker's clock may be behind.
    group.receive_location(4, 150, "of the worker now")
    seen.append(lanes.location)
    assert seen == ["new", None, None, "of the worker now"]


def test_of_two_positions_of_one_time_the_one_that_comes_later_is_shown() -> None:
    group, lanes = _live_group(seq=3)
    group.receive_location(3, 200, "first")
    group.receive_location(3, 200, "second")
    assert lanes.location == "second"


def test_a_position_that_was_read_is_not_sent_again_by_its_message() -> None:
    group, lanes = _live_group(seq=3)
    group.read_location(3, 200, "read")
    group.receive_location(3, 200, "its message")
    assert lanes.location == "read"


def test_a_position_whose_message_came_while_it_was_read_is_not_sent_again() -> None:
    group, lanes = _live_group(seq=3)
    group.receive_location(3, 200, "its message")
    lanes.location = None  # it was sent
    group.read_location(3, 200, "read")
    seen = [lanes.location]
    group.receive_location(3, 200, "another of that time")
    assert [*seen, lanes.location] == [None, "another of that time"]


def test_a_position_that_is_published_twice_is_sent_once() -> None:
    group, lanes = _live_group(seq=3)
    group.receive_location(3, 200, "published")
    lanes.location = None  # it was sent
    group.receive_location(3, 200, "published")
    assert lanes.location is None


def test_a_position_in_the_snapshot_is_not_sent_again_by_its_message() -> None:
    group, _ = _live_group(seq=3)
    joining, lanes = make_socket()
    group.sockets[joining] = None
    joining.go_live(seq=3, location_order=200, floor=0)
    group.receive_location(3, 200, "its message")
    assert lanes.location is None


def test_a_position_held_back_during_a_join_yields_to_the_snapshot() -> None:
    group, _ = _live_group(seq=3)
    joining, lanes = make_socket()
    group.sockets[joining] = None
    group.receive_location(3, 100, "older than the snapshot")
    joining.go_live(seq=3, location_order=150, floor=0)
    seen = [lanes.location]
    group.receive_location(3, 160, "newer")
    seen.append(lanes.location)
    assert seen == [None, "newer"]


def test_a_position_that_the_join_finds_void_is_dropped() -> None:
    group, _ = _live_group(seq=3)
    joining, lanes = make_socket()
    group.sockets[joining] = None
    group.receive_location(3, 100, "before the end")
    joining.go_live(seq=4, location_order=0, floor=4)
    assert lanes.location is None


def test_a_database_that_went_back_asks_for_a_resync() -> None:
    group, lanes = _live_group(seq=9)
    group.restart(4)
    assert [json.loads(text) for text in lanes.texts] == [{"type": "resync_required", "seq": 4}]
    group.receive(5, "5", False)
    assert lanes.texts[-1] == "5"

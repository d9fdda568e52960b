"""A channel delivers events in order, once and without a gap, for any order of arrival."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from hunarmitra_ws.hub.channel import Channel
from tests.unit.ws.fakes import RecordingLanes, make_subscription


def _live_channel(seq: int = 0) -> tuple[Channel, RecordingLanes]:
    channel = Channel("booking.x")
    subscription, lanes = make_subscription()
    channel.add(subscription)
    channel.start(seq=seq, min_location_seq=0, location_order=0)
    subscription.go_live(seq=seq, location_order=0, min_location_seq=0)
    return channel, lanes


@given(st.permutations(range(1, 13)), st.lists(st.integers(1, 12), max_size=20))
def test_any_order_with_any_repeats_is_delivered_in_order_and_once(order: list[int], repeats: list[int]) -> None:
    channel, lanes = _live_channel()
    for seq in [*order[:6], *repeats, *order[6:], *repeats]:
        channel.receive(seq, str(seq), False)
    assert lanes.texts == [str(seq) for seq in range(1, 13)]


def test_a_gap_is_reported_and_nothing_passes_it() -> None:
    channel, lanes = _live_channel()
    assert channel.receive(1, "1", False)
    assert not channel.receive(3, "3", False)
    assert lanes.texts == ["1"]
    assert channel.receive(2, "2", False)
    assert lanes.texts == ["1", "2", "3"]


def test_events_before_the_start_wait_for_it() -> None:
    channel = Channel("booking.x")
    subscription, lanes = make_subscription()
    channel.add(subscription)
    for seq in (4, 6, 5):
        channel.receive(seq, str(seq), False)
    channel.start(seq=4, min_location_seq=0, location_order=0)
    subscription.go_live(seq=4, location_order=0, min_location_seq=0)
    assert lanes.texts == ["5", "6"]


def test_an_event_held_back_during_a_join_comes_after_the_log_and_once() -> None:
    channel, _ = _live_channel(seq=2)
    joining, lanes = make_subscription()
    channel.add(joining)
    channel.receive(3, "3", False)
    channel.receive(4, "4", False)
    assert not joining.misses_events_after(3, channel.last_seq)
    joining.go_live(seq=3, location_order=0, min_location_seq=0)
    assert lanes.texts == ["4"]
    channel.receive(5, "5", False)
    assert lanes.texts == ["4", "5"]


def test_a_read_from_before_what_the_channel_delivered_must_be_repeated() -> None:
    channel, _ = _live_channel(seq=2)
    channel.receive(3, "3", False)
    late, _ = make_subscription()
    channel.add(late)
    assert late.misses_events_after(2, channel.last_seq)
    assert not late.misses_events_after(3, channel.last_seq)


def test_older_and_void_locations_are_dropped() -> None:
    channel, lanes = _live_channel(seq=3)
    channel.receive_location(3, 200, "new")
    channel.receive_location(3, 100, "old")
    seen = [lanes.location]
    channel.receive(4, "reassigned", True)
    seen.append(lanes.location)
    channel.receive_location(3, 300, "of the worker before")
    seen.append(lanes.location)
    # The new worker's clock may be slow.
    channel.receive_location(4, 150, "of the worker now")
    seen.append(lanes.location)
    assert seen == ["new", None, None, "of the worker now"]


def test_of_two_locations_of_one_time_the_one_that_comes_later_is_shown() -> None:
    channel, lanes = _live_channel(seq=3)
    channel.receive_location(3, 200, "first")
    channel.receive_location(3, 200, "second")
    assert lanes.location == "second"


def test_a_location_that_was_read_is_not_sent_again_by_its_message() -> None:
    channel, lanes = _live_channel(seq=3)
    channel.recover_location(3, 200, "read")
    channel.receive_location(3, 200, "its message")
    assert lanes.location == "read"


def test_a_location_whose_message_came_while_it_was_read_is_not_sent_again() -> None:
    channel, lanes = _live_channel(seq=3)
    channel.receive_location(3, 200, "its message")
    lanes.location = None  # it was sent
    channel.recover_location(3, 200, "read")
    seen = [lanes.location]
    channel.receive_location(3, 200, "another of that time")
    assert [*seen, lanes.location] == [None, "another of that time"]


def test_a_location_that_is_published_twice_is_sent_once() -> None:
    channel, lanes = _live_channel(seq=3)
    channel.receive_location(3, 200, "published")
    lanes.location = None  # it was sent
    channel.receive_location(3, 200, "published")
    assert lanes.location is None


def test_a_location_in_the_snapshot_is_not_sent_again_by_its_message() -> None:
    channel, _ = _live_channel(seq=3)
    joining, lanes = make_subscription()
    channel.add(joining)
    joining.go_live(seq=3, location_order=200, min_location_seq=0)
    channel.receive_location(3, 200, "its message")
    assert lanes.location is None


def test_a_location_held_back_during_a_join_yields_to_the_snapshot() -> None:
    channel, _ = _live_channel(seq=3)
    joining, lanes = make_subscription()
    channel.add(joining)
    channel.receive_location(3, 100, "older than the snapshot")
    joining.go_live(seq=3, location_order=150, min_location_seq=0)
    seen = [lanes.location]
    channel.receive_location(3, 160, "newer")
    seen.append(lanes.location)
    assert seen == [None, "newer"]


def test_a_location_that_the_join_finds_void_is_dropped() -> None:
    channel, _ = _live_channel(seq=3)
    joining, lanes = make_subscription()
    channel.add(joining)
    channel.receive_location(3, 100, "before the end")
    joining.go_live(seq=4, location_order=0, min_location_seq=4)
    assert lanes.location is None


def test_a_database_that_went_back_asks_for_a_resync() -> None:
    channel, lanes = _live_channel(seq=9)
    channel.restart(4)
    assert [json.loads(text) for text in lanes.texts] == [{"type": "resync_required", "seq": 4}]
    channel.receive(5, "5", False)
    assert lanes.texts[-1] == "5"

import 'events.dart';
import 'realtime_stream.dart';

/// The events of one booking: [SnapshotEvent], [StatusEvent], [LocationEvent], [ResyncEvent], [ErrorEvent] and
/// [StateEvent].
class BookingStream extends RealtimeStream {
  BookingStream({
    required super.url,
    required String bookingId,
    required super.token,
    super.since,
    super.backoff,
    super.open,
  }) : super(path: '/ws/bookings/${Uri.encodeComponent(bookingId)}/', eventType: 'booking_status');

  static const _finalStatuses = {'completed', 'cancelled'};
  static final _never = DateTime.utc(1);

  DateTime _shownAt = _never;
  String? _status;
  Frame? _location;

  /// The booking's newest status.
  String? get status => _status;

  /// The worker's newest location, or null.
  Frame? get location => _location;

  @override
  void established(Frame snapshot) {
    _status = snapshot['status'] as String?;
    give(SnapshotEvent(snapshot));
    final location = snapshot['location'] as Frame?;
    location == null ? _clear() : _show(location);
  }

  @override
  void next(Frame event, {required bool fresh}) {
    if (fresh) _status = event['status'] as String?;
    give(StatusEvent(event));
    // Replayed events are older than the snapshot's location and do not clear it.
    if (fresh && (_finalStatuses.contains(event['status']) || event['event_type'] == 'booking_assigned')) _clear();
  }

  @override
  void other(Frame frame) {
    if (frame['type'] == 'location_update') _show(frame);
  }

  @override
  void ended(CloseReason reason) {
    if (reason != CloseReason.stopped) _clear();
  }

  void _show(Frame location) {
    var at = DateTime.tryParse('${location['timestamp']}');
    if (at == null || _finalStatuses.contains(_status)) return;
    // The server's order: a phone whose clock is ahead must not hide later locations.
    final now = serverNow();
    if (at.isAfter(now)) at = now;
    if (at.isBefore(_shownAt) || _same(location)) return;
    _shownAt = at;
    _location = location;
    give(LocationEvent(location));
  }

  bool _same(Frame location) {
    final last = _location;
    return last != null && ['timestamp', 'lat', 'lng', 'eta_minutes'].every((key) => last[key] == location[key]);
  }

  void _clear() {
    _shownAt = _never;
    if (_location == null) return;
    _location = null;
    give(const LocationEvent(null));
  }
}

import 'dart:async';
import 'dart:collection';

import 'events.dart';
import 'realtime_stream.dart';

/// The server did not mark a notification as read; [code] is its error code, null when the stream closed.
class MarkReadException implements Exception {
  const MarkReadException(this.message, [this.code]);

  final String message;
  final String? code;

  @override
  String toString() => 'MarkReadException: $message';
}

/// The user's notifications: [SnapshotEvent], [NotificationEvent], [UnreadEvent], [ResyncEvent], [ErrorEvent],
/// [StateEvent].
class NotificationStream extends RealtimeStream {
  NotificationStream({required super.url, required super.token, super.since, super.backoff, super.open})
      : super(path: '/ws/notifications/', eventType: 'notification');

  /// Between two messages: the server disconnects a client that sends more than 10 a second.
  static const _pace = Duration(milliseconds: 150);

  /// Errors that do not answer `mark_read`.
  static const _unrelated = {'invalid_token', 'rate_limited'};

  final Queue<(String, Completer<int>)> _marking = Queue();
  bool _sent = false;
  Timer? _pacing;
  int? _unread;

  /// The number of unread notifications, null before the first snapshot.
  int? get unread => _unread;

  /// Marks as read, and returns the number of unread ones. Sent again after a reconnect until the server answers.
  ///
  /// Completes with [MarkReadException] if the server refuses it or the stream closes.
  Future<int> markRead(String id) {
    if (state.phase == RealtimePhase.closed) return Future.error(const MarkReadException('the stream is closed'));
    final answer = Completer<int>();
    _marking.add((id, answer));
    _markNext();
    return answer.future;
  }

  @override
  void established(Frame snapshot) {
    give(SnapshotEvent(snapshot));
    _count(snapshot['unread'] as int);
    _markNext();
  }

  @override
  void next(Frame event, {required bool fresh}) {
    give(NotificationEvent(event));
    if (fresh) _count((_unread ?? 0) + 1);
  }

  @override
  void other(Frame frame) {
    if (frame['type'] == 'marked_read') {
      final left = frame['unread'] as int;
      _count(left);
      if (_sent && frame['id'] == _marking.first.$1) _answered().complete(left);
    } else if (frame['type'] == 'error' && _sent && !_unrelated.contains(frame['code'])) {
      _answered().completeError(MarkReadException('${frame['message'] ?? ''}', frame['code'] as String?));
    }
  }

  @override
  void disconnected() {
    _sent = false;
    _pacing?.cancel();
    _pacing = null;
  }

  @override
  void ended(CloseReason reason) {
    while (_marking.isNotEmpty) {
      _marking.removeFirst().$2.completeError(const MarkReadException('the stream is closed'));
    }
  }

  Completer<int> _answered() {
    _sent = false;
    _pacing = Timer(_pace, () {
      _pacing = null;
      _markNext();
    });
    return _marking.removeFirst().$2;
  }

  void _markNext() {
    if (_sent || _pacing != null || _marking.isEmpty) return;
    _sent = send({'type': 'mark_read', 'id': _marking.first.$1});
  }

  void _count(int unread) {
    if (unread == _unread) return;
    _unread = unread;
    give(UnreadEvent(unread));
  }
}

import 'dart:async';

/// A frame of the server, as documented.
typedef Frame = Map<String, dynamic>;

/// Returns a token. [refresh] means that the last one was rejected or expires soon. Null: nobody is signed in.
///
/// It may throw if there is no network.
typedef TokenCallback = FutureOr<String?> Function({required bool refresh});

/// Why a stream ended.
enum CloseReason { stopped, unauthenticated, forbidden, notFound }

/// What a connection does.
enum RealtimePhase { idle, connecting, live, reconnecting, paused, closed }

/// The connection of a stream. [delay] is the time until the next attempt, [code] the last close code.
class RealtimeState {
  const RealtimeState(this.phase, {this.reason, this.code, this.message, this.attempt = 0, this.delay});

  final RealtimePhase phase;
  final CloseReason? reason;
  final int? code;
  final String? message;
  final int attempt;
  final Duration? delay;

  @override
  String toString() => 'RealtimeState(${phase.name}${reason == null ? '' : ', ${reason!.name}'})';
}

/// Full jitter below a limit that doubles.
class Backoff {
  const Backoff({this.shortest = const Duration(seconds: 1), this.longest = const Duration(seconds: 30)});

  final Duration shortest;
  final Duration longest;

  /// The limit of the delay after so many failures.
  Duration limit(int failures) {
    final doubled = shortest * (1 << (failures < 20 ? failures : 20));
    return doubled < longest ? doubled : longest;
  }
}

/// One event of a stream.
sealed class RealtimeEvent {
  const RealtimeEvent();
}

/// The connection changed.
class StateEvent extends RealtimeEvent {
  const StateEvent(this.state);

  final RealtimeState state;
}

/// The first frame of each connection. If events are replayed, they follow it, although they are older.
class SnapshotEvent extends RealtimeEvent {
  const SnapshotEvent(this.frame);

  final Frame frame;
}

/// A status event of a booking; each once and in order.
class StatusEvent extends RealtimeEvent {
  const StatusEvent(this.frame);

  final Frame frame;

  int get seq => frame['seq'] as int;
  String get status => frame['status'] as String;
}

/// The worker's location, never older than the last one; null when it may no longer be shown.
class LocationEvent extends RealtimeEvent {
  const LocationEvent(this.frame);

  final Frame? frame;
}

/// A notification; each once and in order.
class NotificationEvent extends RealtimeEvent {
  const NotificationEvent(this.frame);

  final Frame frame;

  int get seq => frame['seq'] as int;
}

/// The number of unread notifications changed.
class UnreadEvent extends RealtimeEvent {
  const UnreadEvent(this.unread);

  final int unread;
}

/// Missed events can no longer be replayed: read the state over REST.
class ResyncEvent extends RealtimeEvent {
  const ResyncEvent(this.frame);

  final Frame frame;
}

/// An error frame, or a failed connection (`code` is `connection`). The stream goes on.
class ErrorEvent extends RealtimeEvent {
  const ErrorEvent(this.frame);

  final Frame frame;

  String get code => frame['code'] as String;
}

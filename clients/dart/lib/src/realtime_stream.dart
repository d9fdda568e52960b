import 'dart:async';
import 'dart:convert';
import 'dart:math';

import 'package:web_socket_channel/web_socket_channel.dart';

import 'events.dart';

/// Opens a WebSocket; replaced in tests.
typedef OpenChannel = WebSocketChannel Function(Uri url, List<String> protocols);

WebSocketChannel _open(Uri url, List<String> protocols) => WebSocketChannel.connect(url, protocols: protocols);

/// The base of both streams: connecting, resuming, heartbeat, tokens, close codes and the order of events.
///
/// Invariant: [seq] is the seq of the last event given to the application. Only the next event, the first snapshot and
/// `resync_required` change it.
abstract class RealtimeStream {
  RealtimeStream({
    required Uri url,
    required String path,
    required String eventType,
    required TokenCallback token,
    int? since,
    Backoff backoff = const Backoff(),
    OpenChannel open = _open,
  })  : _url = _socketUrl(url, path),
        _eventType = eventType,
        _token = token,
        _backoff = backoff,
        _openChannel = open,
        _seq = since {
    if (since != null && since < 0) throw RangeError.value(since, 'since', 'is not a seq (0, 1, 2, …)');
  }

  /// Without a pong within this time the connection is dead.
  static const _pongWithin = Duration(seconds: 10);

  /// From the token request to the first frame.
  static const _connectWithin = Duration(seconds: 20);

  /// The backoff starts over after a connection of this length.
  static const _stable = Duration(seconds: 10);

  /// A token is renewed this long before its expiry, or at half of the time left.
  static const _renewBefore = Duration(seconds: 60);

  static const _unauthenticated = 4001, _tooSlow = 4008;
  static const _busy = {4013, 4029};
  static const _terminal = {4003: CloseReason.forbidden, 4004: CloseReason.notFound};

  /// In place of a close code: an event was missing.
  static const _gap = -1;

  final Uri _url;
  final String _eventType;
  final TokenCallback _token;
  final Backoff _backoff;
  final OpenChannel _openChannel;
  final Random _random = Random();
  final Stopwatch _clock = Stopwatch()..start();
  final StreamController<RealtimeEvent> _events = StreamController.broadcast(sync: true);

  int? _seq;
  int _snapshotSeq = 0;
  RealtimeState _state = const RealtimeState(RealtimePhase.idle);

  WebSocketChannel? _channel;
  Timer? _limit, _retry, _heartbeat, _pong, _renewal;
  Duration? _liveSince, _after;
  Duration _serverAhead = Duration.zero;
  String? _lastError;
  int _failures = 0;
  bool _hurried = false, _rejected = false;

  /// Results of an older attempt are ignored.
  int _attempt = 0;

  /// All events. Listeners are called at once; add them before [start].
  Stream<RealtimeEvent> get events => _events.stream;

  /// The seq of the last event given to the application. Store it with your own state, to resume after a restart.
  int? get seq => _seq;

  RealtimeState get state => _state;

  /// Connects, and reconnects after every interruption until [stop] or a terminal close code.
  void start() {
    if (_state.phase == RealtimePhase.idle || _state.phase == RealtimePhase.closed) unawaited(_connect());
  }

  /// Disconnects. [start] resumes after [seq].
  void stop() {
    if (_state.phase == RealtimePhase.idle || _state.phase == RealtimePhase.closed) return;
    _finish(CloseReason.stopped);
  }

  /// Disconnects while the application is in the background; nothing is lost, because [resume] continues after [seq].
  void pause() {
    if (_state.phase == RealtimePhase.idle || _state.phase == RealtimePhase.closed) return;
    _disconnect();
    _become(const RealtimeState(RealtimePhase.paused));
  }

  /// Connects after [pause].
  void resume() {
    if (_state.phase != RealtimePhase.paused) return;
    _failures = 0;
    unawaited(_connect());
  }

  // ── for subclasses ──
  void established(Frame snapshot);

  /// Gives a numbered event. [fresh]: it is newer than the snapshot.
  void next(Frame event, {required bool fresh});

  /// Handles another frame.
  void other(Frame frame) {}

  /// The stream is closed.
  void ended(CloseReason reason) {}

  /// The connection is gone; another one may follow.
  void disconnected() {}

  void give(RealtimeEvent event) => _events.add(event);

  DateTime serverNow() {
    final now = _clock.elapsed + _serverAhead;
    return DateTime.fromMicrosecondsSinceEpoch(now.inMicroseconds, isUtc: true);
  }

  /// Returns whether the message was handed to a live connection.
  bool send(Frame message) {
    final channel = _channel;
    if (channel == null || _liveSince == null) return false;
    channel.sink.add(jsonEncode(message));
    return true;
  }

  // ── the connection ──
  static Uri _socketUrl(Uri url, String path) {
    final scheme = switch (url.scheme) { 'http' || 'ws' => 'ws', 'https' || 'wss' => 'wss', _ => '' };
    if (scheme.isEmpty || url.host.isEmpty) {
      throw ArgumentError.value('$url', 'url', 'is not an http, https, ws or wss URL');
    }
    final prefix = url.path.endsWith('/') ? url.path.substring(0, url.path.length - 1) : url.path;
    return url.replace(scheme: scheme, path: '$prefix$path');
  }

  Future<void> _connect() async {
    _disconnect();
    final attempt = _attempt;
    _liveSince = _after = _lastError = null;
    _become(RealtimeState(RealtimePhase.connecting, attempt: _failures + 1));
    _limit = Timer(_connectWithin, () => _lost(attempt, null));
    try {
      final access = await _token(refresh: _rejected);
      if (attempt != _attempt) return;
      if (access == null) {
        _finish(CloseReason.unauthenticated);
        return;
      }
      _rejected = false;
      final url = _seq == null ? _url : _url.replace(queryParameters: {'since': '$_seq'});
      final channel = _openChannel(url, ['jwt', access]);
      _channel = channel;
      channel.stream.listen(
        (Object? text) {
          if (attempt == _attempt && text is String) _receive(text);
        },
        onError: (Object error) {}, // `ready` throws it, or `onDone` follows
        onDone: () => _lost(attempt, channel.closeCode),
      );
      await channel.ready;
    } catch (error) {
      if (attempt != _attempt) return;
      give(ErrorEvent({'type': 'error', 'code': 'connection', 'message': '$error'}));
      _lost(attempt, null);
    }
  }

  void _disconnect() {
    _attempt++;
    for (final timer in [_limit, _retry, _heartbeat, _pong, _renewal]) {
      timer?.cancel();
    }
    final channel = _channel;
    _channel = null;
    if (channel == null) return;
    unawaited(channel.sink.close().catchError((Object _) {}));
    disconnected();
  }

  /// Decides what follows the end of a connection.
  void _lost(int attempt, int? code) {
    if (attempt != _attempt) return;
    final since = _liveSince, after = _after;
    final live = since != null;
    _disconnect();
    if (live && !_busy.contains(code) && _clock.elapsed - since >= _stable) {
      _failures = 0;
      _hurried = false;
    }
    final reason = _terminal[code];
    if (reason != null) {
      _finish(reason, code);
      return;
    }
    if (code == _unauthenticated) _rejected = true;
    _retryAfter(_delay(code, live: live, after: after), code);
  }

  Duration _delay(int? code, {required bool live, required Duration? after}) {
    if (after != null && (live || _failures == 0)) {
      if (!live) _failures++;
      return after;
    }
    if (after == null && const {_unauthenticated, _tooSlow, _gap}.contains(code) && !_hurried) {
      _hurried = true;
      return Duration.zero;
    }
    final jittered = _backoff.limit(_failures) * _random.nextDouble();
    _failures++;
    return after != null && after > jittered ? after : jittered;
  }

  void _retryAfter(Duration delay, int? code) {
    if (delay == Duration.zero) {
      unawaited(_connect());
      return;
    }
    final shown = code == null || code < 0 ? null : code;
    _become(RealtimeState(RealtimePhase.reconnecting, code: shown, attempt: _failures, delay: delay));
    _retry = Timer(delay, () => unawaited(_connect()));
  }

  // ── frames ──
  void _receive(String text) {
    final Object? decoded;
    try {
      decoded = jsonDecode(text);
    } on FormatException {
      return;
    }
    if (decoded is! Frame) return;
    final frame = decoded, kind = frame['type'];
    _lastError = kind == 'error' ? frame['message'] as String? : null;
    if (kind == _eventType) {
      _numbered(frame);
      return;
    }
    switch (kind) {
      case 'connection_established':
        _joined(frame);
      case 'pong':
        _pong?.cancel();
      case 'authenticated':
        _renewInTime(frame['expires_at']);
      case 'reconnect':
        _after = Duration(milliseconds: max(0, (frame['after_ms'] as num? ?? 0).round()));
      case 'resync_required':
        _seq = _snapshotSeq = frame['seq'] as int;
        give(ResyncEvent(frame));
      default:
        other(frame);
        if (kind == 'error') give(ErrorEvent(frame));
    }
  }

  void _joined(Frame frame) {
    _limit?.cancel();
    _liveSince = _clock.elapsed;
    final serverTime = DateTime.tryParse('${frame['server_time']}') ?? DateTime.now();
    _serverAhead = Duration(microseconds: serverTime.microsecondsSinceEpoch) - _clock.elapsed;
    _snapshotSeq = frame['seq'] as int;
    _seq ??= _snapshotSeq; // with `since`, the events up to it are still to come
    final seconds = frame['heartbeat_seconds'] as num? ?? 30;
    _heartbeat = Timer.periodic(Duration(milliseconds: (seconds * 1000).round()), (_) => _ping());
    _renewInTime(frame['expires_at']);
    _become(const RealtimeState(RealtimePhase.live));
    established(frame);
  }

  void _numbered(Frame frame) {
    final number = frame['seq'], last = _seq;
    if (last == null || number is! int || number <= last) return;
    if (number != last + 1) {
      _lost(_attempt, _gap);
      return;
    }
    _seq = number;
    next(frame, fresh: number > _snapshotSeq);
    if (frame['ack'] == true) send({'type': 'ack', 'seq': number});
  }

  void _ping() {
    if (_pong?.isActive ?? false) return; // the last one has no answer yet
    final attempt = _attempt;
    send({'type': 'ping'});
    _pong = Timer(_pongWithin, () => _lost(attempt, null)); // dead, even if the device reports it as open
  }

  void _renewInTime(Object? expiresAt) {
    final expiry = DateTime.tryParse('$expiresAt');
    if (expiry == null) return;
    final left = expiry.difference(serverNow());
    if (left <= const Duration(seconds: 1)) return;
    final early = left - _renewBefore;
    _renewal?.cancel();
    _renewal = Timer(early > left ~/ 2 ? early : left ~/ 2, () => unawaited(_renew(expiresAt)));
  }

  Future<void> _renew(Object? expiresAt) async {
    final attempt = _attempt;
    try {
      final access = await _token(refresh: true);
      if (attempt != _attempt) return;
      if (access == null) {
        _finish(CloseReason.unauthenticated);
      } else {
        send({'type': 'authenticate', 'token': access});
      }
    } catch (error) {
      if (attempt == _attempt) _renewInTime(expiresAt); // again at half of the time left
    }
  }

  void _become(RealtimeState state) {
    _state = state;
    give(StateEvent(state));
  }

  void _finish(CloseReason reason, [int? code]) {
    _disconnect();
    _failures = 0;
    ended(reason);
    _become(RealtimeState(RealtimePhase.closed, reason: reason, code: code, message: _lastError));
  }
}

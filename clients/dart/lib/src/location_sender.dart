import 'dart:async';
import 'dart:convert';
import 'dart:math';

import 'package:http/http.dart' as http;

import 'events.dart';

/// A location of the device: degrees, metres, degrees clockwise from north, metres per second.
class Location {
  const Location({required this.lat, required this.lng, this.timestamp, this.accuracy, this.heading, this.speed});

  final double lat, lng;

  /// When the device measured it, if its clock is right. Without it the server takes the time of arrival.
  final DateTime? timestamp;
  final double? accuracy, heading, speed;

  Map<String, Object> toJson() => {
        'lat': lat,
        'lng': lng,
        if (timestamp != null) 'timestamp': timestamp!.toUtc().toIso8601String(),
        if (accuracy != null) 'accuracy': accuracy!,
        if (heading != null) 'heading': heading!,
        if (speed != null) 'speed': speed!,
      };
}

/// What a [LocationSender] does.
enum SharingState { idle, locating, sharing, waiting, ended }

/// The server takes no locations of this booking from this user; [code] is the server's.
class SharingEnded {
  const SharingEnded(this.code, this.message);

  final String code, message;
}

/// Sends a worker's locations over REST, at the server's pace.
///
/// Give it every location of the device with [push]. It keeps only the newest one while the network is away, because the
/// server has no history of locations. Add a listener to [states] to show what it does.
class LocationSender {
  LocationSender({
    required Uri url,
    required String bookingId,
    required TokenCallback token,
    http.Client? client,
    Timer Function(Duration delay, void Function() work) timer = Timer.new,
  })  : _url = _trackingUrl(url, bookingId),
        _token = token,
        _client = client ?? http.Client(),
        _timer = timer;

  static const _longestBackoff = 30.0;
  static const _answerWithin = Duration(seconds: 20);
  static const _staleAgain = Duration(seconds: 2);
  static const _shortestPace = Duration(milliseconds: 200);
  static const _temporary = {408, 429};

  final Uri _url;
  final TokenCallback _token;
  final http.Client _client;
  final Timer Function(Duration, void Function()) _timer;
  final Random _random = Random();
  final StreamController<SharingState> _states = StreamController.broadcast(sync: true);

  SharingState _state = SharingState.idle;
  Location? _newest;
  Timer? _wait;
  bool _running = false, _sending = false, _rejected = false;
  int _failures = 0;

  static Uri _trackingUrl(Uri url, String bookingId) {
    final prefix = url.path.endsWith('/') ? url.path : '${url.path}/';
    return url.replace(path: '${prefix}api/v1/tracking/${Uri.encodeComponent(bookingId)}/');
  }

  Stream<SharingState> get states => _states.stream;

  SharingState get state => _state;

  /// Why the server takes no more locations, after [SharingState.ended].
  SharingEnded? end;

  void start() {
    if (_running) return;
    _running = true;
    end = null;
    _become(SharingState.locating);
    _next();
  }

  void stop() {
    _running = false;
    _wait?.cancel();
    _wait = null;
    if (_state != SharingState.ended) _become(SharingState.idle);
  }

  /// Takes a location of the device. It is sent as soon as the server wants the next one, unless a newer one comes.
  void push(Location location) {
    _newest = location;
    _next();
  }

  void _next() {
    final location = _newest;
    if (!_running || _sending || _wait != null || location == null) return;
    _newest = null;
    _sending = true;
    unawaited(_send(location));
  }

  Future<void> _send(Location location) async {
    http.Response? answer;
    final refresh = _rejected;
    try {
      final access = await Future<String?>.value(_token(refresh: refresh)).timeout(_answerWithin);
      if (access == null) {
        _finish('unauthenticated', 'Nobody is signed in.');
        return;
      }
      _rejected = false;
      final headers = {'Authorization': 'Bearer $access', 'Content-Type': 'application/json'};
      answer = await _client.post(_url, headers: headers, body: jsonEncode(location)).timeout(_answerWithin);
    } catch (error) {
      answer = null; // no network
    } finally {
      _sending = false;
    }
    if (!_running) return;
    final delay = _judge(answer, refreshed: refresh);
    if (delay == null) return;
    if (answer == null || answer.statusCode != 200) _newest ??= location;
    _wait = _timer(delay, () {
      _wait = null;
      _next();
    });
  }

  /// Returns the time until the next location, or null if no other one may follow. `refreshed`: with a new token.
  Duration? _judge(http.Response? answer, {required bool refreshed}) {
    if (answer == null) return _backOff();
    final body = _body(answer);
    final code = body['code'] as String?, detail = '${body['detail'] ?? 'HTTP ${answer.statusCode}'}';
    if (answer.statusCode == 200) {
      _failures = 0;
      _become(SharingState.sharing);
      final asked = Duration(milliseconds: (body['next_in_ms'] as num? ?? 2000).round());
      return asked > _shortestPace ? asked : _shortestPace;
    }
    if (answer.statusCode == 401) {
      _rejected = true;
      return refreshed ? _backOff() : Duration.zero;
    }
    if (code == 'stale_position') return _staleAgain;
    // Without a code it is the answer of a proxy, which may be temporary.
    if (code != null && answer.statusCode < 500 && !_temporary.contains(answer.statusCode)) {
      _finish(code, detail);
      return null;
    }
    final after = int.tryParse(answer.headers['retry-after'] ?? '');
    if (after == null) return _backOff();
    _become(SharingState.waiting);
    return Duration(seconds: after);
  }

  Duration _backOff() {
    _become(SharingState.waiting);
    final limit = min(_longestBackoff, pow(2, min(_failures, 5)).toDouble());
    _failures++;
    return Duration(milliseconds: (_random.nextDouble() * limit * 1000).round());
  }

  Frame _body(http.Response answer) {
    try {
      final decoded = jsonDecode(answer.body);
      return decoded is Frame ? decoded : const {};
    } on FormatException {
      return const {};
    }
  }

  void _finish(String code, String message) {
    _running = false;
    end = SharingEnded(code, message);
    _become(SharingState.ended);
  }

  void _become(SharingState state) {
    if (state == _state) return;
    _state = state;
    _states.add(state);
  }
}

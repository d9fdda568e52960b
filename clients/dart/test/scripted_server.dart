import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:crypto/crypto.dart';

typedef Json = Map<String, dynamic>;

/// RFC 6455, 1.3.
const _acceptSuffix = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';

String inSeconds(num seconds) =>
    DateTime.now().toUtc().add(Duration(milliseconds: (seconds * 1000).round())).toIso8601String();

Json snapshotOf(Json keys) {
  final more = {...keys}, expiresIn = more.remove('expires_in') as num? ?? 3600;
  return {
    'type': 'connection_established',
    'message': 'Connected',
    'replay': 0,
    'heartbeat_seconds': 30,
    'status': 'confirmed',
    'location': null,
    'expires_at': inSeconds(expiresIn),
    'server_time': inSeconds(0),
    ...more,
  };
}

Json frameOf(Json keys) {
  final more = {...keys}, seconds = more.remove('timestamp_in') as num?;
  return {...more, if (seconds != null) 'timestamp': inSeconds(seconds)};
}

/// Serves the connections of one scenario of clients/conformance. [problems] has what differed from it.
class ScriptedServer {
  ScriptedServer(Json scenario, {required this.markRead, required this.changed})
      : _connections = (scenario['connections'] as List<dynamic>).cast<Json>();

  final List<Json> _connections;
  final void Function(String id) markRead;
  final void Function() changed;
  final List<String> problems = [];
  late final HttpServer _server;
  int _count = 0, finished = 0;

  int get connections => _connections.length;
  Uri get url => Uri.parse('http://127.0.0.1:${_server.port}');

  Future<void> start() async {
    _server = await HttpServer.bind('127.0.0.1', 0);
    _server.listen((request) => unawaited(_handle(request, _count++)));
  }

  Future<void> stop() => _server.close(force: true);

  Future<void> _handle(HttpRequest request, int number) async {
    try {
      if (number >= _connections.length) throw StateError('one connection too many');
      final expected = _connections[number];
      final since = request.uri.queryParameters['since'];
      if (since != expected['since']) throw StateError('since is $since, not ${expected['since']}');
      final offered = request.headers.value('Sec-WebSocket-Protocol') ?? '';
      final token = expected['token'];
      if (token != null && offered.split(RegExp(', ?'))[1] != token) throw StateError('offered $offered, not $token');
      final (socket, tcp) = await _upgrade(request);
      final incoming = StreamIterator<dynamic>(socket);
      for (final step in (expected['steps'] as List<dynamic>).cast<Json>()) {
        await _step(socket, tcp, incoming, step.keys.single, step.values.single);
      }
      finished++;
      changed();
      while (await incoming.moveNext()) {}
    } catch (error) {
      problems.add('connection ${number + 1}: $error');
    } finally {
      changed();
    }
  }

  /// Upgrades by hand, because [WebSocketTransformer] hides the TCP connection, which `cut` needs.
  Future<(WebSocket, Socket)> _upgrade(HttpRequest request) async {
    final key = request.headers.value('Sec-WebSocket-Key')!;
    final accept = base64.encode(sha1.convert(ascii.encode('$key$_acceptSuffix')).bytes);
    final response = request.response..statusCode = HttpStatus.switchingProtocols;
    response.headers
      ..set('Connection', 'Upgrade')
      ..set('Upgrade', 'websocket')
      ..set('Sec-WebSocket-Accept', accept)
      ..set('Sec-WebSocket-Protocol', 'jwt')
      ..contentLength = 0;
    final tcp = await response.detachSocket();
    return (WebSocket.fromUpgradedSocket(tcp, serverSide: true, protocol: 'jwt'), tcp);
  }

  Future<void> _step(
    WebSocket socket,
    Socket tcp,
    StreamIterator<dynamic> incoming,
    String kind,
    dynamic value,
  ) async {
    switch (kind) {
      case 'snapshot':
        socket.add(jsonEncode(snapshotOf(value as Json)));
      case 'send':
        socket.add(jsonEncode(frameOf(value as Json)));
      case 'text':
        socket.add(value as String);
      case 'close':
        await socket.close(value as int);
      case 'cut':
        tcp.destroy();
      case 'mark_read':
        markRead(value as String);
      case 'receive':
        if (!await incoming.moveNext()) throw StateError('no message');
        final received = jsonDecode(incoming.current as String), wanted = jsonEncode(value);
        if (jsonEncode(received) != wanted) throw StateError('received $received, not $wanted');
      default:
        throw StateError('unknown step: $kind');
    }
  }
}

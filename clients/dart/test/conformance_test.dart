/// The scenarios that all clients share, against a scripted server.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:hunarmitra_realtime/hunarmitra_realtime.dart';
import 'package:test/test.dart';

import 'scripted_server.dart';

const _backoff = Backoff(shortest: Duration(milliseconds: 1), longest: Duration(milliseconds: 5));
const _names = {CloseReason.notFound: 'not_found'};

List<Json> scenariosOf(String kind) =>
    (jsonDecode(File('../conformance/$kind.json').readAsStringSync()) as List<dynamic>).cast<Json>();

/// Returns an event as the scenarios write it, or null for what they leave out.
List<Object?>? pair(RealtimeEvent event) => switch (event) {
      StateEvent() => null,
      SnapshotEvent(:final frame) => ['snapshot', frame['seq']],
      StatusEvent(:final seq) => ['status', seq],
      LocationEvent(:final frame) => ['location', frame?['lat']],
      NotificationEvent(:final seq) => ['notification', seq],
      UnreadEvent(:final unread) => ['unread', unread],
      ResyncEvent(:final frame) => ['resync', frame['seq']],
      ErrorEvent(:final code) => code == 'connection' ? null : ['error', code],
    };

Future<void> run(String kind, Json scenario) async {
  final told = <List<Object?>>[], marked = <List<Object?>>[], asked = <bool>[];
  final answers = scenario['tokens'] as List<dynamic>?;
  final done = Completer<void>();
  late final RealtimeStream stream;

  String? token({required bool refresh}) {
    asked.add(refresh);
    return answers == null ? 'token-${asked.length}' : answers[asked.length - 1] as String?;
  }

  late final ScriptedServer server;
  final state = scenario['state'] as Json, events = (scenario['events'] as List<dynamic>).cast<List<dynamic>>();

  void check() {
    if (done.isCompleted) return;
    final complete = server.finished == server.connections &&
        told.length + marked.length >= events.length &&
        stream.state.phase.name == state['name'];
    if (server.problems.isNotEmpty || complete) done.complete();
  }

  Future<void> mark(String id) async {
    try {
      marked.add(['marked', await (stream as NotificationStream).markRead(id)]);
    } on MarkReadException catch (error) {
      marked.add(['mark_failed', error.code]);
    }
    check();
  }

  server = ScriptedServer(scenario, markRead: (id) => unawaited(mark(id)), changed: check);
  await server.start();
  final since = scenario['since'] as int?;
  stream = kind == 'booking'
      ? BookingStream(url: server.url, bookingId: 'b', token: token, since: since, backoff: _backoff)
      : NotificationStream(url: server.url, token: token, since: since, backoff: _backoff);
  stream.events.listen((event) {
    final given = pair(event);
    if (given != null) told.add(given);
    check();
  });
  stream.start();
  await done.future.timeout(const Duration(seconds: 60));

  bool ofMark(List<dynamic> event) => '${event.first}'.startsWith('mark');
  expect(server.problems, isEmpty);
  expect(told, events.where((event) => !ofMark(event)));
  expect(marked, events.where(ofMark));
  final reason = stream.state.reason;
  final shown = {
    'name': stream.state.phase.name,
    'reason': _names[reason] ?? reason?.name,
    'code': stream.state.code,
    'message': stream.state.message,
  };
  for (final MapEntry(:key, :value) in state.entries) {
    expect(shown[key], value, reason: key);
  }
  if (scenario['seq'] != null) expect(stream.seq, scenario['seq']);
  if (scenario['refreshes'] != null) expect(asked, scenario['refreshes']);
  stream.stop();
  await server.stop();
}

void main() {
  for (final kind in ['booking', 'notifications']) {
    for (final scenario in scenariosOf(kind)) {
      test('$kind: ${scenario['name']}', () => run(kind, scenario));
    }
  }
}

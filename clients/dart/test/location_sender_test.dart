/// The scenarios of clients/conformance/locations.json: what follows one answer of the server.
library;

import 'dart:async';
import 'dart:convert';
import 'dart:io';

import 'package:http/http.dart' as http;
import 'package:http/testing.dart';
import 'package:hunarmitra_realtime/hunarmitra_realtime.dart';
import 'package:test/test.dart';

const here = Location(lat: 28.6139, lng: 77.209);

void main() {
  final scenarios = jsonDecode(File('../conformance/locations.json').readAsStringSync()) as List<dynamic>;
  for (final scenario in scenarios.cast<Map<String, dynamic>>()) {
    test('${scenario['name']}', () async {
      final tokens = <String>[], delays = <Duration>[];
      final waits = StreamController<void Function()>();
      final waiting = StreamIterator(waits.stream);
      var asked = 0;
      final answer = scenario['answer'] as Map<String, dynamic>;
      final client = MockClient((request) async {
        tokens.add(request.headers['Authorization']!.substring('Bearer '.length));
        if (tokens.length > 1) return http.Response('{"next_in_ms": 2000}', 200);
        final given = answer['headers'] as Map<String, dynamic>? ?? {};
        final headers = given.map((key, value) => MapEntry(key.toLowerCase(), '$value'));
        final body = answer['text'] as String? ?? jsonEncode(answer['body']);
        return http.Response(body, answer['status'] as int, headers: headers);
      });
      final sender = LocationSender(
        url: Uri.parse('http://server.example'),
        bookingId: 'b',
        token: ({required refresh}) => asked++ == 0 ? 'old' : (refresh ? 'new' : 'old'),
        client: client,
        timer: (delay, work) {
          delays.add(delay);
          waits.add(work);
          return Timer(Duration.zero, () {});
        },
      );
      final ended = sender.states.firstWhere((state) => state == SharingState.ended);
      sender
        ..start()
        ..push(here);
      if (scenario['ended'] == true) {
        await ended;
        expect(sender.end!.code, (answer['body'] as Map<String, dynamic>)['code']);
        expect(delays, isEmpty);
        return;
      }
      await waiting.moveNext();
      sender.push(here);
      waiting.current();
      await waiting.moveNext();
      final seconds = delays.first.inMilliseconds / 1000;
      if (scenario['next_after'] != null) expect(seconds, scenario['next_after']);
      if (scenario['next_within'] != null) expect(seconds, lessThanOrEqualTo(scenario['next_within'] as num));
      if (scenario['tokens'] != null) expect(tokens, scenario['tokens']);
      expect(tokens, hasLength(2));
      sender.stop();
    });
  }

  test('the token has expired when the network returns: a new one is asked for until there is one', () async {
    final refreshes = <bool>[];
    final waits = StreamController<void Function()>();
    final waiting = StreamIterator(waits.stream);
    var requests = 0;
    final sender = LocationSender(
      url: Uri.parse('http://server.example'),
      bookingId: 'b',
      token: ({required refresh}) {
        refreshes.add(refresh);
        if (refresh && refreshes.length == 3) throw const SocketException('no network');
        return refresh ? 'new' : 'old';
      },
      client: MockClient((request) async {
        requests++;
        if (requests == 1) throw const SocketException('no network');
        if (request.headers['Authorization'] == 'Bearer new') return http.Response('{"next_in_ms": 2000}', 200);
        return http.Response('{"detail": "expired", "code": "token_not_valid"}', 401);
      }),
      timer: (delay, work) {
        waits.add(work);
        return Timer(Duration.zero, () {});
      },
    );
    final shared = sender.states.firstWhere((state) => state == SharingState.sharing);
    sender
      ..start()
      ..push(here);
    for (var tries = 0; tries < 3; tries++) {
      await waiting.moveNext();
      waiting.current();
    }
    await shared;
    expect(refreshes, [false, false, true, true]);
    sender.stop();
  });
}

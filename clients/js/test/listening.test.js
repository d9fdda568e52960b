/** The ways to receive events: late listeners, once, iteration, debug, and streams on a server that renders pages. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BookingStream, NotificationStream } from '../src/index.js';
import { booking, liveBooking, statusEvent } from './support/streams.js';
import { FakeWorld, settle } from './support/world.js';

test('a late state listener gets the current state at once, then each change', async () => {
  const { stream } = await liveBooking();
  const heard = [];
  const off = stream.on('state', ({ name }) => heard.push(name));
  assert.deepEqual(heard, ['live']);
  stream.pause();
  off();
  stream.stop();
  assert.deepEqual(heard, ['live', 'paused']);
});

test('a state listener before the start gets changes only', async () => {
  const { stream } = booking();
  const heard = [];
  stream.on('state', ({ name }) => heard.push(name));
  assert.deepEqual(heard, []);
  stream.start();
  assert.deepEqual(heard, ['connecting']);
});

test('once gets the next state, not the current one', async () => {
  const { stream } = await liveBooking();
  const heard = [];
  stream.once('state', ({ name }) => heard.push(name));
  stream.pause();
  stream.resume();
  assert.deepEqual(heard, ['paused']);
});

test('iteration: every event in order, until the stream closes', async () => {
  const { stream, webSocket } = await liveBooking();
  const seqs = [];
  const ended = (async () => {
    for await (const { seq } of stream.events('status')) {
      seqs.push(seq);
      if (seq === 5) webSocket.frame(statusEvent(6)); // an event while the loop is busy
    }
  })();
  await settle();
  webSocket.frame(statusEvent(4));
  webSocket.frame(statusEvent(5));
  await settle();
  assert.deepEqual(seqs, [4, 5, 6]);
  webSocket.frame(statusEvent(7));
  stream.stop(); // what is queued is still given
  await ended;
  assert.deepEqual(seqs, [4, 5, 6, 7]);
});

test('iteration over states begins with the current one and ends with closed; of a closed stream it ends at once', async () => {
  const { stream } = await liveBooking();
  const names = [];
  const ended = (async () => {
    for await (const { name } of stream.events('state')) names.push(name);
  })();
  await settle();
  stream.stop();
  await ended;
  assert.deepEqual(names, ['live', 'closed']);
  for await (const event of stream.events('status')) assert.fail(event);
});

test('a loop that breaks leaves no listener', async () => {
  const { stream, webSocket } = await liveBooking();
  const loop = (async () => {
    for await (const event of stream.events('status')) return event.seq;
  })();
  await settle();
  webSocket.frame(statusEvent(4));
  assert.equal(await loop, 4);
  const counts = [];
  const iterator = stream.events('status');
  const next = iterator.next();
  webSocket.frame(statusEvent(5));
  counts.push((await next).value.seq);
  assert.deepEqual(await iterator.return(), { value: undefined, done: true });
  assert.deepEqual(counts, [5]);
});

test('debug: states, frames, sent types and close codes, never a token', async () => {
  const entries = [];
  const { world, stream, webSocket } = await liveBooking({ debug: (...entry) => entries.push(entry) }, { expires_at: undefined });
  webSocket.frame(statusEvent(4));
  await world.advance(30_000);
  webSocket.end(4008);
  stream.stop();
  const named = (name) => entries.filter(([entry]) => entry === name).map(([, detail]) => detail);
  assert.deepEqual(named('send'), ['ping']);
  assert.deepEqual(named('close'), [4008]);
  assert.deepEqual(named('receive').map(({ type }) => type), ['connection_established', 'booking_status']);
  assert.deepEqual(named('state').map(({ name }) => name), ['connecting', 'live', 'connecting', 'closed']);
});

test('debug: a renewed token is not logged', async () => {
  const entries = [];
  const { world, webSocket } = await liveBooking({ debug: (...entry) => entries.push(entry) }, { expires_at: '2026-01-03T11:00:20Z' });
  await world.advance(10_000);
  assert.deepEqual(webSocket.sentOf('authenticate'), [{ type: 'authenticate', token: 'token-2' }]);
  assert.deepEqual(entries.at(-1), ['send', 'authenticate']);
  assert.ok(!JSON.stringify(entries).includes('token-'));
});

test('debug: true writes to the console, with the path', async (t) => {
  const lines = [];
  t.mock.method(console, 'debug', (...line) => lines.push(line));
  const { stream } = booking({ debug: true });
  stream.start();
  stream.stop();
  assert.equal(lines[0][0], '/ws/bookings/7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11/');
  assert.deepEqual(lines.map(([, entry, { name }]) => [entry, name]), [['state', 'connecting'], ['state', 'closed']]);
});

test('on a server that renders pages a stream is created without url and WebSocket; only its start throws', () => {
  const { environment } = new FakeWorld();
  const server = { ...environment, document: undefined, window: undefined, navigator: undefined, WebSocket: undefined };
  for (const stream of [new BookingStream({ bookingId: 'b', token: 't', environment: server }), new NotificationStream({ token: 't', environment: server })]) {
    assert.deepEqual(stream.state, { name: 'idle' });
    assert.throws(() => stream.start(), /url/);
    assert.deepEqual(stream.state, { name: 'idle' });
    stream.stop();
  }
  const withUrl = new BookingStream({ url: 'https://x', bookingId: 'b', token: 't', environment: server });
  assert.throws(() => withUrl.start(), /WebSocket/);
});

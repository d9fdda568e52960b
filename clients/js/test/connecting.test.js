import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BookingStream, NotificationStream } from '../src/index.js';
import { accept, BOOKING, booking, bookingSnapshot, liveBooking, notifications } from './support/streams.js';
import { FakeWorld, settle } from './support/world.js';

test('the token travels as a subprotocol, not in the address', async () => {
  const { world, stream, asked } = booking();
  stream.start();
  await settle();
  assert.equal(world.webSocket.url, `wss://api.example.org/ws/bookings/${BOOKING}/`);
  assert.deepEqual(world.webSocket.protocols, ['jwt', 'token-1']);
  assert.deepEqual(asked, [{ refresh: false }]);
});

test('the token may be a plain string, and may go into the query where asked for', async () => {
  const { world, stream } = booking({ token: 'a+b', tokenInQuery: true, since: 0 });
  stream.start();
  await settle();
  assert.equal(world.webSocket.url, `wss://api.example.org/ws/bookings/${BOOKING}/?token=a%2Bb&since=0`);
  assert.deepEqual(world.webSocket.protocols, []);
});

test('addresses may be http or ws, with a path prefix and a trailing slash', async () => {
  for (const [url, expected] of [
    ['http://localhost:8000', 'ws://localhost:8000/ws/notifications/'],
    ['ws://localhost:8000/', 'ws://localhost:8000/ws/notifications/'],
    ['wss://example.org/hm//', 'wss://example.org/hm/ws/notifications/'],
  ]) {
    const { world, stream } = notifications({ url });
    stream.start();
    await settle();
    assert.equal(world.webSocket.url, expected);
  }
});

test('a booking id is escaped in the path', async () => {
  const { world, stream } = booking({ bookingId: '../notifications?x=' });
  stream.start();
  await settle();
  assert.ok(world.webSocket.url.endsWith('/ws/bookings/..%2Fnotifications%3Fx%3D/'));
});

test('invalid options throw in the constructor', () => {
  const { environment } = new FakeWorld();
  const good = { url: 'https://x', token: 't', bookingId: 'b', environment };
  assert.doesNotThrow(() => new BookingStream(good));
  assert.throws(() => new BookingStream({ ...good, bookingId: undefined }), /bookingId/);
  assert.throws(() => new BookingStream({ ...good, url: undefined }), /url/);
  assert.throws(() => new BookingStream({ ...good, token: undefined }), /token/);
  assert.throws(() => new BookingStream({ ...good, environment: { ...environment, WebSocket: undefined } }), /WebSocket/);
  for (const since of [-1, 1.5, '3', NaN, 2 ** 60]) assert.throws(() => new NotificationStream({ ...good, since }), /since/);
});

test('a URL that the WebSocket constructor rejects closes the stream', async () => {
  class Refusing {
    constructor() {
      throw new SyntaxError('bad address');
    }
  }
  const { stream, told, world } = booking({ WebSocket: Refusing });
  stream.start();
  await settle();
  assert.deepEqual(stream.state, { name: 'closed', reason: 'invalid_url', message: 'bad address' });
  assert.equal(told.of('state').at(-1), stream.state);
  assert.equal(world.timerCount, 0);
});

test('states: idle, connecting, live with the snapshot, closed', async () => {
  const { world, stream, told } = booking();
  assert.deepEqual(stream.state, { name: 'idle' });
  stream.start();
  assert.deepEqual(stream.state, { name: 'connecting', attempt: 1 });
  const snapshot = bookingSnapshot(world);
  await accept(world, snapshot);
  assert.deepEqual(stream.state, { name: 'live' });
  assert.deepEqual(told.of('snapshot'), [snapshot]);
  assert.equal(stream.status, 'confirmed');
  assert.equal(stream.seq, 3);
  stream.stop();
  assert.deepEqual(stream.state, { name: 'closed', reason: 'stopped' });
  assert.equal(world.timerCount, 0);
  assert.ok(world.webSocket.closedByClient);
});

test('two starts make one connection; a stop while a token is fetched makes none', async () => {
  const { world, stream } = booking();
  stream.start();
  stream.start();
  await settle();
  assert.equal(world.webSockets.length, 1);
  stream.stop();
  stream.start();
  stream.stop();
  await settle();
  assert.equal(world.webSockets.length, 1);
});

test('starting a live stream changes nothing', async () => {
  const { world, stream, webSocket } = await liveBooking();
  stream.start();
  await settle();
  assert.equal(world.webSocket, webSocket);
  assert.equal(stream.state.name, 'live');
});

test('a stream stopped at once asks for no token', async () => {
  const { stream, asked } = booking();
  stream.on('state', () => stream.stop());
  stream.start();
  await settle();
  assert.deepEqual(asked, []);
});

test('a listener may stop the stream at any moment', async () => {
  for (const type of ['state', 'snapshot', 'status']) {
    const { world, stream } = booking();
    stream.on(type, () => stream.stop());
    stream.start();
    await settle();
    if (world.webSocket) {
      world.webSocket.open();
      world.webSocket.frame(bookingSnapshot(world));
      world.webSocket.frame({ type: 'booking_status', seq: 4, status: 'arrived', event_type: 'booking_arrived' });
    }
    await settle();
    assert.equal(stream.state.reason, 'stopped', type);
    assert.equal(world.timerCount, 0, type);
  }
});

test('a stopped stream resumes after its seq', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.frame({ type: 'booking_status', seq: 4, status: 'on_the_way', event_type: 'booking_on_the_way' });
  stream.stop();
  stream.start();
  await settle();
  assert.equal(world.webSocket.query.get('since'), '4');
});

test('an attempt without an answer ends after 20 s', async () => {
  const { world, stream } = booking();
  stream.start();
  await settle();
  world.webSocket.open();
  await world.advance(19_999);
  assert.equal(stream.state.name, 'connecting');
  await world.advance(1);
  assert.equal(stream.state.name, 'reconnecting');
  assert.ok(world.webSocket.closedByClient);
});

test('events of a dropped connection are ignored', async () => {
  const { world, stream, told, webSocket } = await liveBooking();
  const { onmessage, onclose } = webSocket;
  await world.advance(40_000); // no pong
  onmessage({ data: JSON.stringify({ type: 'booking_status', seq: 4, status: 'arrived' }) });
  onclose({ code: 4003 });
  webSocket.onerror(new Error('late')); // in Node, an error that nobody listens to would end the process
  assert.equal(told.of('status').length, 0);
  assert.equal(stream.state.name, 'reconnecting');
});

test('frames that are not JSON, not an object or unknown do nothing', async () => {
  const { stream, told, webSocket } = await liveBooking();
  const before = told.length;
  for (const text of ['', '{', 'null', '1', '"x"', '[]', '{"type":"new_thing"}', '{}']) webSocket.text(text);
  webSocket.onmessage({ data: new ArrayBuffer(4) });
  assert.equal(told.length, before);
  assert.equal(stream.state.name, 'live');
});

test('error frames reach the application', async () => {
  const { told, webSocket } = await liveBooking();
  const frame = { type: 'error', code: 'invalid_message', message: 'no' };
  webSocket.frame(frame);
  assert.deepEqual(told.of('error'), [frame]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BookingStream, NotificationStream } from '../src/index.js';
import { accept, BOOKING, booking, bookingSnapshot, liveBooking, notifications } from './support/streams.js';
import { FakeWorld, settle } from './support/world.js';

test('the token travels as a subprotocol, not in the address', async () => {
  const { world, stream, asked } = booking();
  stream.start();
  await settle();
  assert.equal(world.socket.url, `wss://api.example.org/ws/bookings/${BOOKING}/`);
  assert.deepEqual(world.socket.protocols, ['jwt', 'token-1']);
  assert.deepEqual(asked, [{ refresh: false }]);
});

test('the token may be a plain string, and may go into the query where asked for', async () => {
  const { world, stream } = booking({ token: 'a+b', tokenInQuery: true, since: 0 });
  stream.start();
  await settle();
  assert.equal(world.socket.url, `wss://api.example.org/ws/bookings/${BOOKING}/?token=a%2Bb&since=0`);
  assert.deepEqual(world.socket.protocols, []);
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
    assert.equal(world.socket.url, expected);
  }
});

test('a booking id cannot leave its place in the path', async () => {
  const { world, stream } = booking({ bookingId: '../notifications?x=' });
  stream.start();
  await settle();
  assert.ok(world.socket.url.endsWith('/ws/bookings/..%2Fnotifications%3Fx%3D/'));
});

test('what cannot work is refused when it is made', () => {
  const { environment } = new FakeWorld();
  const good = { url: 'https://x', token: 't', bookingId: 'b', environment };
  assert.doesNotThrow(() => new BookingStream(good));
  assert.throws(() => new BookingStream({ ...good, bookingId: undefined }), /bookingId/);
  assert.throws(() => new BookingStream({ ...good, url: undefined }), /url/);
  assert.throws(() => new BookingStream({ ...good, token: undefined }), /token/);
  assert.throws(() => new BookingStream({ ...good, environment: { ...environment, WebSocket: undefined } }), /WebSocket/);
  for (const since of [-1, 1.5, '3', NaN, 2 ** 60]) assert.throws(() => new NotificationStream({ ...good, since }), /since/);
});

test('an address that the constructor refuses ends the stream, as it always will', async () => {
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
  assert.ok(world.socket.closedByClient);
});

test('starting twice makes one connection; stopping while a token is fetched makes none', async () => {
  const { world, stream } = booking();
  stream.start();
  stream.start();
  await settle();
  assert.equal(world.sockets.length, 1);
  stream.stop();
  stream.start();
  stream.stop();
  await settle();
  assert.equal(world.sockets.length, 1);
});

test('starting a live stream changes nothing', async () => {
  const { world, stream, socket } = await liveBooking();
  stream.start();
  await settle();
  assert.equal(world.socket, socket);
  assert.equal(stream.state.name, 'live');
});

test('a stream stopped as it begins asks for no token', async () => {
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
    if (world.socket) {
      world.socket.open();
      world.socket.frame(bookingSnapshot(world));
      world.socket.frame({ type: 'booking_status', seq: 4, status: 'arrived', event_type: 'booking_arrived' });
    }
    await settle();
    assert.equal(stream.state.reason, 'stopped', type);
    assert.equal(world.timerCount, 0, type);
  }
});

test('a stopped stream goes on from where it was', async () => {
  const { world, stream, socket } = await liveBooking();
  socket.frame({ type: 'booking_status', seq: 4, status: 'on_the_way', event_type: 'booking_on_the_way' });
  stream.stop();
  stream.start();
  await settle();
  assert.equal(world.socket.query.get('since'), '4');
});

test('an attempt without an answer is given up after 20 s', async () => {
  const { world, stream } = booking();
  stream.start();
  await settle();
  world.socket.open();
  await world.advance(19_999);
  assert.equal(stream.state.name, 'connecting');
  await world.advance(1);
  assert.equal(stream.state.name, 'reconnecting');
  assert.ok(world.socket.closedByClient);
});

test('what an abandoned socket still says is not heard', async () => {
  const { world, stream, told, socket } = await liveBooking();
  const { onmessage, onclose } = socket;
  await world.advance(40_000); // no pong
  onmessage({ data: JSON.stringify({ type: 'booking_status', seq: 4, status: 'arrived' }) });
  onclose({ code: 4003 });
  socket.onerror(new Error('late')); // in Node, an error that nobody listens to would end the process
  assert.equal(told.of('status').length, 0);
  assert.equal(stream.state.name, 'reconnecting');
});

test('frames that are no JSON, no object or unknown do nothing', async () => {
  const { stream, told, socket } = await liveBooking();
  const before = told.length;
  for (const text of ['', '{', 'null', '1', '"x"', '[]', '{"type":"new_thing"}', '{}']) socket.text(text);
  socket.onmessage({ data: new ArrayBuffer(4) });
  assert.equal(told.length, before);
  assert.equal(stream.state.name, 'live');
});

test('error frames reach the application', async () => {
  const { told, socket } = await liveBooking();
  const frame = { type: 'error', code: 'invalid_message', message: 'no' };
  socket.frame(frame);
  assert.deepEqual(told.of('error'), [frame]);
});

/** One connection for many streams. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RealtimeConnection } from '../src/connection/index.js';
import { LocationSender } from '../src/sender/index.js';
import { bookingSnapshot, location, notification, notificationsSnapshot, statusEvent } from './support/streams.js';
import { FakeWorld, settle } from './support/world.js';

const A = '7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11';
const B = '7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c22';
const TYPES = ['state', 'snapshot', 'status', 'location', 'resync', 'error', 'notification', 'unread', 'page', 'left'];

function record(stream) {
  const told = [];
  for (const type of TYPES) stream.on(type, (value) => told.push({ type, value }));
  told.of = (type) => told.filter((entry) => entry.type === type).map((entry) => entry.value);
  told.seqs = () => told.of('status').map(({ seq }) => seq);
  told.names = () => told.of('state').map(({ name, reason }) => reason ?? name);
  return told;
}

function inWorld(options) {
  const world = new FakeWorld();
  const asked = [];
  const token = async (need) => {
    asked.push(need.refresh);
    return `token-${asked.length}`;
  };
  const connection = new RealtimeConnection({ url: 'https://api.example.org', token, environment: world.environment, ...options });
  return { world, connection, asked, told: record(connection) };
}

/** Accept the newest connection, and let the client send its requests. */
async function accept(world) {
  await settle();
  const { webSocket } = world;
  webSocket.open();
  webSocket.frame({ type: 'connected', message: 'Connected', heartbeat_seconds: 30, expires_at: world.timestamp(3_600_000), server_time: world.timestamp(), max_subscriptions: 20 });
  await world.advance(0);
  return webSocket;
}

const snapshotOf = (world, booking_id, more) => bookingSnapshot(world, { booking_id, ...more });
const statusOf = (booking_id, seq, status, more) => statusEvent(seq, status, { booking_id, ...more });
const requests = (webSocket) => webSocket.sent.filter(({ type }) => type.endsWith('subscribe'));
const unsubscribed = (booking_id, code, message) => ({ type: 'unsubscribed', channel: 'booking', booking_id, code, message });

/** Return two bookings and the notifications, live on one connection. */
async function threeStreams(options) {
  const parts = inWorld(options);
  const { world, connection } = parts;
  const [a, b, bell] = [connection.booking(A), connection.booking(B), connection.notifications()];
  const [toldA, toldB, toldBell] = [a, b, bell].map(record);
  for (const stream of [a, b, bell]) stream.start();
  const webSocket = await accept(world);
  webSocket.frame(snapshotOf(world, A));
  webSocket.frame(snapshotOf(world, B));
  webSocket.frame(notificationsSnapshot(world, { channel: 'notifications' }));
  return { ...parts, a, b, bell, toldA, toldB, toldBell, webSocket };
}

test('one connection; many subscriptions go as one list; each stream gets its own frames', async () => {
  const { world, a, b, bell, toldA, toldB, toldBell, webSocket } = await threeStreams();
  assert.equal(world.webSockets.length, 1);
  assert.equal(new URL(webSocket.url).pathname, '/ws/');
  assert.deepEqual(webSocket.protocols, ['jwt', 'token-1']);
  assert.deepEqual(requests(webSocket), [
    { type: 'subscribe', channel: 'notifications' },
    { type: 'subscribe', channel: 'booking', booking_ids: [A, B] },
  ]);
  for (const stream of [a, b, bell]) assert.equal(stream.state.name, 'live');
  webSocket.frame(statusOf(A, 4, 'on_the_way'));
  webSocket.frame(statusOf(B, 4, 'arrived'));
  webSocket.frame(statusOf(A, 4, 'on_the_way'));
  webSocket.frame(location(world.timestamp(), { booking_id: B }));
  webSocket.frame({ ...notification(6), channel: 'notifications' });
  assert.deepEqual([a.status, b.status], ['on_the_way', 'arrived']);
  assert.deepEqual([toldA.seqs(), toldB.seqs()], [[4], [4]]);
  assert.deepEqual([a.location, b.location?.lat], [null, 28.6139]);
  assert.deepEqual(toldBell.of('notification').map(({ seq }) => seq), [6]);
  assert.equal(bell.unread, 3);
  assert.deepEqual(toldA.names(), ['connecting', 'live']);
});

test('after a cut each stream resumes after its own seq, in one list', async () => {
  const { world, a, toldA, toldB, webSocket } = await threeStreams();
  webSocket.frame(statusOf(A, 4));
  webSocket.frame({ ...notification(6), channel: 'notifications' });
  webSocket.end(1006);
  assert.equal(a.state.name, 'reconnecting');
  assert.ok(a.state.retryAt > world.wallTime);
  await world.advance(1000);
  assert.equal(world.webSockets.length, 2);
  const second = await accept(world);
  assert.equal(second.query.get('since'), null);
  assert.deepEqual(requests(second), [
    { type: 'subscribe', channel: 'notifications', since: 6 },
    { type: 'subscribe', channel: 'booking', booking_ids: [A, B], since: { [A]: 4, [B]: 3 } },
  ]);
  second.frame(snapshotOf(world, A, { seq: 5, replay: 1 }));
  second.frame(statusOf(A, 5));
  second.frame(snapshotOf(world, B, { seq: 4, replay: 1 }));
  second.frame(statusOf(B, 4));
  assert.deepEqual([toldA.seqs(), toldB.seqs()], [[4, 5], [4]]);
});

test('a stream that the server ends leaves the others alive', async () => {
  for (const [code, reason] of [[4003, 'forbidden'], [4004, 'not_found']]) {
    const { world, connection, a, b, toldB, webSocket } = await threeStreams();
    webSocket.frame(location(world.timestamp(), { booking_id: A }));
    webSocket.frame(unsubscribed(A, code, 'No longer.'));
    assert.deepEqual(a.state, { name: 'closed', reason, code, message: 'No longer.' });
    assert.equal(a.location, null);
    await world.advance(5000);
    webSocket.frame(statusOf(B, 4));
    assert.deepEqual([b.state.name, toldB.seqs(), connection.state.name], ['live', [4], 'live']);
    assert.ok(!requests(webSocket).some(({ type }) => type === 'unsubscribe'));
    webSocket.end(1006);
    await world.advance(1000);
    assert.ok(!JSON.stringify(requests(await accept(world))).includes(A));
  }
});

test('4008 subscribes again at once with since, 1011 and 4029 back off', async () => {
  const { world, a, b, webSocket } = await threeStreams();
  webSocket.frame(statusOf(A, 4));
  await world.advance(1000);
  webSocket.frame(unsubscribed(A, 4008));
  assert.equal(a.state.name, 'connecting');
  await world.advance(0);
  assert.deepEqual(requests(webSocket).at(-1), { type: 'subscribe', channel: 'booking', booking_id: A, since: 4 });
  for (const [code, delay] of [[1011, 500], [4029, 1000]]) {
    const before = requests(webSocket).length;
    webSocket.frame(unsubscribed(A, code));
    assert.deepEqual(a.state, { name: 'reconnecting', retryAt: world.wallTime + delay, attempt: delay / 500, code });
    await world.advance(delay - 1);
    assert.equal(requests(webSocket).length, before);
    await world.advance(301);
    assert.equal(requests(webSocket).length, before + 1);
  }
  assert.equal(b.state.name, 'live');
});

test('without a first frame for 20 seconds the stream subscribes again', async () => {
  const { world, connection } = inWorld();
  const stream = connection.booking(A).start();
  const webSocket = await accept(world);
  await world.advance(19_999);
  webSocket.frame({ type: 'pong' });
  assert.equal(requests(webSocket).length, 1);
  await world.advance(1000);
  assert.equal(requests(webSocket).length, 2);
  assert.equal(stream.state.name, 'connecting');
});

test('a gap subscribes again with since, and what the old subscription sent is dropped', async () => {
  const { world, a, b, toldA, webSocket } = await threeStreams();
  webSocket.frame(statusOf(A, 4));
  webSocket.frame(statusOf(A, 6));
  webSocket.frame(statusOf(A, 5));
  await world.advance(1000);
  assert.deepEqual(requests(webSocket).at(-1), { type: 'subscribe', channel: 'booking', booking_id: A, since: 4 });
  webSocket.frame(snapshotOf(world, A, { seq: 6, replay: 2 }));
  for (const seq of [5, 6]) webSocket.frame(statusOf(A, seq));
  assert.deepEqual(toldA.seqs(), [4, 5, 6]);
  assert.deepEqual([a.state.name, b.state.name], ['live', 'live']);
});

test('resync_required is for its stream', async () => {
  const { a, b, toldA, toldB, webSocket } = await threeStreams();
  webSocket.frame({ type: 'resync_required', seq: 9, booking_id: B });
  assert.deepEqual([a.seq, b.seq, toldA.of('resync').length, toldB.of('resync').length], [3, 9, 0, 1]);
});

test('drain: all streams reconnect after the delay that the server asked for', async () => {
  const { world, a, b, webSocket } = await threeStreams();
  webSocket.frame({ type: 'reconnect', after_ms: 1800 });
  webSocket.end(4012);
  for (const stream of [a, b]) assert.deepEqual(stream.state, { name: 'reconnecting', retryAt: world.wallTime + 1800, attempt: 0, code: 4012 });
  await world.advance(1799);
  assert.equal(world.webSockets.length, 1);
  await world.advance(1);
  assert.equal(world.webSockets.length, 2);
  assert.equal(requests(await accept(world)).at(-1).since[A], 3);
});

test('4029 of the connection backs off, and nothing shortens the delay', async () => {
  const { world, connection, a, webSocket } = await threeStreams();
  webSocket.end(4029);
  assert.equal(a.state.code, 4029);
  const { retryAt } = a.state;
  const late = connection.booking('late').start();
  assert.equal(late.state.retryAt, retryAt);
  world.goOnline();
  await world.advance(retryAt - world.wallTime - 1);
  assert.equal(world.webSockets.length, 1);
  await world.advance(1);
  assert.equal(world.webSockets.length, 2);
});

test('a new token is sent on the open connection; a rejected one is replaced; without one all streams close', async () => {
  let signedIn = true;
  const asked = [];
  const token = async ({ refresh }) => (asked.push(refresh), signedIn ? `token-${asked.length}` : null);
  const { world, connection, a, b, bell, webSocket } = await threeStreams({ token });
  webSocket.frame({ type: 'authenticated', expires_at: world.timestamp(40_000) });
  await world.advance(20_000);
  assert.deepEqual(webSocket.sentOf('authenticate'), [{ type: 'authenticate', token: 'token-2' }]);
  world.webSocket.end(4001);
  await settle();
  assert.deepEqual(asked, [false, true, true]);
  assert.deepEqual(world.webSocket.protocols, ['jwt', 'token-3']);
  signedIn = false;
  await accept(world);
  world.webSocket.end(4001);
  await world.advance(30_000);
  for (const each of [connection, a, b, bell]) assert.deepEqual([each.state.name, each.state.reason], ['closed', 'unauthenticated']);
});

test('stop() of a stream unsubscribes; start() resumes it', async () => {
  const { world, connection, a, b, toldA, webSocket } = await threeStreams();
  webSocket.frame(statusOf(A, 4));
  a.stop();
  b.stop();
  assert.deepEqual(a.state, { name: 'closed', reason: 'stopped' });
  await world.advance(300);
  assert.deepEqual(requests(webSocket).at(-1), { type: 'unsubscribe', channel: 'booking', booking_ids: [A, B] });
  webSocket.frame(statusOf(A, 5));
  webSocket.frame(unsubscribed(A, 1000));
  assert.notEqual(connection.booking(A), a);
  assert.throws(() => a.start(), /another stream of this channel/);
  b.start();
  await world.advance(300);
  assert.deepEqual(requests(webSocket).at(-1), { type: 'subscribe', channel: 'booking', booking_id: B, since: 3 });
  assert.deepEqual(toldA.seqs(), [4]);
  webSocket.frame(unsubscribed(B, 1000)); // the late answer to the first stop()
  b.stop();
  await world.advance(300);
  assert.deepEqual(requests(webSocket).at(-1), { type: 'unsubscribe', channel: 'booking', booking_id: B });
});

test('the same stream for the same booking, however the id is written', () => {
  const { connection } = inWorld();
  assert.equal(connection.booking(A), connection.booking(A.toUpperCase()));
  assert.equal(connection.notifications(), connection.notifications());
  assert.throws(() => connection.booking(''), /bookingId is missing/);
  assert.throws(() => connection.booking(B, { since: -1 }), /not a seq/);
});

test('the connection closes one second after the last stream, unless another one starts', async () => {
  const { world, connection } = inWorld();
  const stream = connection.booking(A).start();
  const webSocket = await accept(world);
  stream.stop();
  await world.advance(999);
  assert.equal(webSocket.closedByClient, false);
  const next = connection.booking(B).start();
  await world.advance(5000);
  assert.equal(webSocket.closedByClient, false);
  next.pause();
  assert.equal(next.state.name, 'paused');
  await world.advance(1000);
  assert.equal(webSocket.closedByClient, true);
  assert.equal(connection.state.reason, 'stopped');
  assert.equal(world.timerCount, 0);
  assert.equal(next.state.name, 'paused');
  next.resume();
  await accept(world);
  assert.deepEqual(requests(world.webSocket), [{ type: 'subscribe', channel: 'booking', booking_id: B }]);
});

test('start() keeps the connection without a stream, until stop() closes it and all streams', async () => {
  const { world, connection } = inWorld();
  connection.start();
  const webSocket = await accept(world);
  await world.advance(5000);
  assert.equal(webSocket.closedByClient, false);
  const stream = connection.booking(A).start();
  assert.equal(stream.state.name, 'connecting');
  connection.stop();
  assert.deepEqual([stream.state.reason, connection.state.reason, webSocket.closedByClient], ['stopped', 'stopped', true]);
  assert.equal(world.timerCount, 0);
});

test('long lists are split, and groups of requests keep a distance', async () => {
  const { world, connection } = inWorld();
  for (let number = 0; number < 151; number++) connection.booking(`b${number}`).start();
  const webSocket = await accept(world);
  assert.deepEqual(requests(webSocket).map(({ booking_ids }) => booking_ids?.length), [150, undefined]);
  for (let number = 0; number < 50; number++) {
    connection.booking(`c${number}`).start();
    await world.advance(10);
  }
  await world.advance(300);
  assert.equal(requests(webSocket).length, 4);
  assert.ok(!requests(webSocket).some((message) => JSON.stringify(message).length > 16_384));
});

test('offline: streams that are joined stay so when the pong comes', async () => {
  const { world, a, webSocket } = await threeStreams();
  world.goOffline();
  assert.deepEqual(a.state, { name: 'offline' });
  webSocket.frame({ type: 'pong' });
  assert.equal(a.state.name, 'live');
  await world.advance(300);
  assert.equal(requests(webSocket).length, 2);
});

test('acks and mark_read name their channel', async () => {
  const { a, bell, toldA, webSocket } = await threeStreams();
  webSocket.frame(statusOf(A, 4, 'on_the_way', { ack: true }));
  assert.deepEqual(webSocket.sentOf('ack'), [{ type: 'ack', seq: 4, booking_id: A }]);
  const marked = bell.markRead('n-1');
  webSocket.frame({ type: 'marked_read', id: 'n-1', unread: 1, channel: 'notifications' });
  assert.deepEqual(await marked, { id: 'n-1', unread: 1 });
  const missing = bell.markRead('n-2');
  webSocket.frame({ type: 'error', code: 'unavailable', message: 'Later.', booking_id: A });
  assert.equal(toldA.of('error').length, 1);
  assert.equal(a.state.name, 'live');
  bell.stop();
  await assert.rejects(missing, /closed/);
});

test('errors without a channel reach the connection and every running stream', async () => {
  const { told, toldA, toldBell, webSocket } = await threeStreams();
  webSocket.frame({ type: 'error', code: 'invalid_json', message: 'Not JSON.' });
  for (const each of [told, toldA, toldBell]) assert.equal(each.of('error').length, 1);
  for (const text of ['null', '1', '[]', '{}', 'x']) webSocket.text(text);
});

test('LocationSender sends over the stream of a shared connection', async () => {
  const { world, a, webSocket } = await threeStreams();
  const sender = new LocationSender({ url: 'https://api.example.org', bookingId: A, token: 't', stream: a, geolocation: null, environment: world.environment });
  sender.start().push({ lat: 28.6, lng: 77.2 });
  const [{ id, booking_id, lat }] = webSocket.sentOf('location');
  assert.deepEqual([booking_id, lat], [A, 28.6]);
  webSocket.frame({ type: 'location_accepted', booking_id: A, timestamp: world.timestamp(), next_in_ms: 2000, id });
  assert.equal(sender.state.name, 'sharing');
  sender.stop();
  assert.equal(world.requests.length, 0);
});

test("the server's time, whatever this machine's clock says", async () => {
  const { world, connection } = inWorld();
  assert.equal(connection.serverNow(), world.environment.date());
  connection.start();
  await settle();
  world.webSocket.open();
  world.webSocket.frame({ type: 'connected', message: 'Connected', heartbeat_seconds: 30, expires_at: world.timestamp(3_600_000), server_time: world.timestamp(300_000), max_subscriptions: 20 });
  await world.advance(1000);
  assert.equal(connection.serverNow(), world.environment.date() + 300_000);
  connection.stop();
});

const BOX = [76.8, 28.4, 77.4, 28.9];
const entry = (booking_id, seq) => ({ booking_id, seq, status: 'on_the_way', location: null });

test('live: pages, then later events of the bookings shown; pages again after a reconnect', async () => {
  const { world, connection } = inWorld();
  const live = connection.live({ bbox: BOX, maxRate: 0.5 });
  const told = record(live);
  live.start();
  let webSocket = await accept(world);
  assert.deepEqual(requests(webSocket), [{ type: 'subscribe', channel: 'live', bbox: BOX, max_rate: 0.5 }]);
  webSocket.frame({ type: 'live_page', bookings: [entry(A, 4)] });
  assert.equal(live.state.name, 'live');
  webSocket.frame({ type: 'live_page', bookings: [], last: true });
  assert.deepEqual(told.of('page').map(({ first, last }) => [first, last]), [[true, false], [false, true]]);
  webSocket.frame(statusOf(A, 4));
  webSocket.frame(statusOf(A, 5, 'arrived'));
  webSocket.frame(location(world.timestamp(), { booking_id: B }));
  webSocket.frame(statusOf(B, 2));
  webSocket.frame(location(world.timestamp(), { booking_id: B }));
  webSocket.frame({ type: 'live_left', booking_id: A });
  webSocket.frame(location(world.timestamp(), { booking_id: A }));
  webSocket.frame(statusOf(B, 3, 'completed'));
  webSocket.frame(statusOf(B, 3, 'completed'));
  webSocket.frame(statusOf('gone', 7));
  assert.deepEqual(told.seqs(), [5, 2, 3, 7]);
  assert.deepEqual(told.of('location').map(({ booking_id }) => booking_id), [B]);
  assert.deepEqual(told.of('left'), [{ type: 'live_left', booking_id: A }]);
  webSocket.end(1006);
  await world.advance(1000);
  webSocket = await accept(world);
  assert.equal(requests(webSocket).length, 1);
  webSocket.frame({ type: 'live_page', bookings: [entry(A, 2)], last: true });
  assert.deepEqual(told.of('page').at(-1), { bookings: [entry(A, 2)], first: true, last: true });
  webSocket.frame(statusOf(A, 3));
  assert.equal(told.seqs().at(-1), 3);
  webSocket.frame(location(world.timestamp(), { booking_id: 'gone' }));
  assert.equal(told.of('location').length, 1);
});

test('live: another box, 4003 for users who are not staff, and a wrong box', async () => {
  const { world, connection } = inWorld();
  const live = connection.live({ bbox: BOX }).start();
  const told = record(live);
  const webSocket = await accept(world);
  webSocket.frame({ type: 'live_page', bookings: [], last: true });
  assert.equal(connection.live({ bbox: [0, 0, 1, 1] }), live);
  webSocket.frame(statusOf(A, 1));
  await world.advance(300);
  assert.deepEqual(requests(webSocket).at(-1), { type: 'subscribe', channel: 'live', bbox: [0, 0, 1, 1] });
  assert.deepEqual(told.seqs(), []);
  webSocket.frame({ type: 'unsubscribed', channel: 'live', code: 4003, message: 'Staff only.' });
  assert.equal(live.state.reason, 'forbidden');
  for (const bbox of [[1, 2, 3], [0, 9, 1, 8], [0, 0, 181, 1]]) assert.throws(() => connection.live({ bbox }), /bbox/);
  assert.throws(() => connection.live({ maxRate: 11 }), /maxRate/);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, liveNotifications, notifications } from './support/streams.js';
import { settle } from './support/world.js';

const HOUR = 3_600_000;

test('a new token is sent on the open connection a minute before the old one expires', async () => {
  const { world, stream, asked, webSocket } = await liveBooking();
  await keepAlive(world, HOUR - 60_001);
  assert.deepEqual(webSocket.sentOf('authenticate'), []);
  await world.advance(1);
  assert.deepEqual(asked.at(-1), { refresh: true });
  assert.deepEqual(webSocket.sentOf('authenticate'), [{ type: 'authenticate', token: 'token-2' }]);
  webSocket.frame({ type: 'authenticated', expires_at: world.timestamp(HOUR) });
  await keepAlive(world, HOUR - 60_001);
  assert.equal(webSocket.sentOf('authenticate').length, 1);
  await world.advance(1);
  assert.equal(webSocket.sentOf('authenticate').length, 2);
  assert.equal(world.webSockets.length, 1);
  assert.equal(stream.state.name, 'live');
});

/** Answers every ping on the way. */
async function keepAlive(world, ms) {
  const end = world.elapsed + ms;
  while (world.elapsed < end) {
    await world.advance(Math.min(5000, end - world.elapsed));
    world.webSocket.frame({ type: 'pong' });
  }
}

test('a short-lived token is renewed at half of its time', async () => {
  const { world, webSocket } = await liveBooking({}, { expires_at: '2026-01-03T11:00:40Z' });
  await world.advance(19_999);
  assert.equal(webSocket.sentOf('authenticate').length, 0);
  await world.advance(1);
  assert.equal(webSocket.sentOf('authenticate').length, 1);
});

test('the time left is measured by the server\'s clock, not ours', async () => {
  const { world, webSocket } = await liveBooking({}, { server_time: '2031-05-05T00:00:00Z', expires_at: '2031-05-05T00:00:20Z' });
  await world.advance(9_999);
  assert.equal(webSocket.sentOf('authenticate').length, 0);
  await world.advance(1);
  assert.equal(webSocket.sentOf('authenticate').length, 1);
});

test('a rejected token is replaced at half of the time left, then by a new connection', async () => {
  const { world, stream, told, webSocket } = await liveBooking({}, { expires_at: '2026-01-03T11:00:16Z' });
  for (const [wait, count] of [[8000, 1], [4000, 2], [2000, 3], [1000, 4]]) {
    await world.advance(wait);
    assert.equal(webSocket.sentOf('authenticate').length, count);
    webSocket.frame({ type: 'error', code: 'invalid_token', message: 'Token is invalid' });
  }
  await world.advance(1000);
  assert.equal(webSocket.sentOf('authenticate').length, 4);
  assert.equal(told.of('error').length, 4);
  assert.equal(stream.state.name, 'live');
  webSocket.end(4001);
  await settle();
  assert.equal(world.webSockets.length, 2);
});

test('a callback that throws on an open connection is called again, and the application is told', async () => {
  let works = true;
  const token = async () => {
    if (!works) throw new Error('no network');
    return 'good';
  };
  const { world, stream, told, webSocket } = await liveBooking({ token }, { expires_at: '2026-01-03T11:00:40Z' });
  works = false;
  await world.advance(20_000);
  assert.deepEqual(told.of('error'), [{ type: 'error', code: 'credentials', message: 'no network' }]);
  assert.equal(webSocket.sentOf('authenticate').length, 0);
  works = true;
  await world.advance(10_000);
  assert.deepEqual(webSocket.sentOf('authenticate'), [{ type: 'authenticate', token: 'good' }]);
  assert.equal(stream.state.name, 'live');
});

test('signed out on an open connection: the stream closes', async () => {
  let token = 'good';
  const { world, stream, webSocket } = await liveBooking({ token: () => token });
  token = null;
  await keepAlive(world, HOUR - 60_001);
  await world.advance(1);
  assert.deepEqual(stream.state, { name: 'closed', reason: 'unauthenticated' });
  assert.ok(webSocket.closedByClient);
});

test('signed out before connecting: no attempt', async () => {
  for (const nothing of [null, undefined, '']) {
    const { world, stream } = booking({ token: () => nothing });
    stream.start();
    await settle();
    assert.deepEqual(stream.state, { name: 'closed', reason: 'unauthenticated' });
    assert.equal(world.webSockets.length, 0);
  }
});

test('a callback that throws before connecting backs off and is asked again', async () => {
  let calls = 0;
  const { world, stream, told } = booking({
    token: () => {
      if (++calls === 1) throw new Error('no network');
      return 'good';
    },
  });
  stream.start();
  await settle();
  assert.equal(stream.state.name, 'reconnecting');
  assert.equal(told.of('error')[0].message, 'no network');
  await world.advance(500);
  assert.equal(world.webSockets.length, 1);
});

test('a callback without an answer times out after 20 s, and is not called a second time meanwhile', async () => {
  let calls = 0;
  let answer;
  const { world, stream } = booking({ token: () => new Promise((resolve) => { calls++; answer = resolve; }) });
  stream.start();
  await world.advance(20_000);
  assert.equal(stream.state.name, 'reconnecting');
  await world.advance(5000);
  assert.equal(calls, 1);
  answer('late');
  await settle();
  assert.equal(world.webSockets.length, 1);
});

test('two streams with one callback refresh once', async () => {
  const asked = [];
  const token = async (need) => {
    asked.push(need.refresh);
    await settle();
    return `token-${asked.length}`;
  };
  const first = booking({ token });
  const second = notifications({ token });
  first.stream.start();
  second.stream.start();
  await settle();
  await settle();
  assert.deepEqual(asked, [false]);
  for (const { world } of [first, second]) {
    world.webSocket.open();
    world.webSocket.end(4001);
  }
  await settle();
  await settle();
  assert.deepEqual(asked, [false, true]);
  assert.deepEqual([first, second].map(({ world }) => world.webSocket.protocols[1]), ['token-2', 'token-2']);
});

test('a refresh does not use the answer to a call without refresh', async () => {
  const answers = [];
  const token = ({ refresh }) => new Promise((resolve) => answers.push({ refresh, resolve }));
  const first = booking({ token });
  const second = booking({ token });
  first.stream.start();
  await settle();
  answers[0].resolve('old');
  await settle();
  second.stream.start(); // its plain question is still open when the first stream is refused
  first.world.webSocket.end(4001);
  await settle();
  assert.deepEqual(answers.map(({ refresh }) => refresh), [false, false, true]);
});

test('tickets: one is bought with the token for every connection', async () => {
  const { world, stream } = notifications({ ticket: true, url: 'wss://api.example.org/hm' });
  stream.start();
  await settle();
  assert.deepEqual(world.requests, [{
    url: 'https://api.example.org/hm/api/v1/realtime/tickets/',
    method: 'POST',
    headers: { Authorization: 'Bearer token-1' },
  }]);
  assert.ok(world.signals[0] instanceof AbortSignal); // in a network that answers nothing
  assert.equal(world.webSocket.url, 'wss://api.example.org/hm/ws/notifications/?ticket=ticket-1');
  assert.deepEqual(world.webSocket.protocols, []);
  world.webSocket.end(1006);
  await world.advance(500);
  assert.equal(world.requests.length, 2);
  assert.equal(world.webSocket.query.get('ticket'), 'ticket-2');
});

test('tickets: HTTP 401 means a new token, at once, and then a backoff', async () => {
  const { world, stream, asked } = notifications({ ticket: true });
  world.answer = () => ({ ok: false, status: 401 });
  stream.start();
  await settle();
  assert.deepEqual(asked, [{ refresh: false }, { refresh: true }]);
  assert.equal(stream.state.name, 'reconnecting');
  assert.equal(world.webSockets.length, 0);
});

test('tickets: another failure backs off with the same token', async () => {
  const { world, stream, asked, told } = notifications({ ticket: true });
  world.answer = () => ({ ok: false, status: 503 });
  stream.start();
  await settle();
  assert.equal(stream.state.name, 'reconnecting');
  await world.advance(500);
  assert.deepEqual(asked, [{ refresh: false }, { refresh: false }]);
  assert.match(told.of('error')[0].message, /503/);
});

test('tickets from a callback, without any token: a new one per connection, none while it is open', async () => {
  const asked = [];
  const ticket = async (need) => {
    asked.push(need);
    return `own-${asked.length}`;
  };
  const { world, stream, webSocket } = await liveNotifications({ token: undefined, ticket }, { expires_at: '2026-01-03T11:00:20Z' });
  assert.equal(webSocket.query.get('ticket'), 'own-1');
  await world.advance(25_000);
  assert.equal(webSocket.sent.length, 0);
  webSocket.end(4001);
  await settle();
  assert.deepEqual(asked, [{ refresh: false }, { refresh: true }]);
  assert.equal(world.webSocket.query.get('ticket'), 'own-2');
  stream.stop();
});

test('tickets a callback without an answer: closed', async () => {
  const { stream } = notifications({ token: undefined, ticket: () => null });
  stream.start();
  await settle();
  assert.equal(stream.state.reason, 'unauthenticated');
});

test('a snapshot without a valid expires_at renews no token', async () => {
  const { world, asked } = await liveBooking({}, { expires_at: undefined });
  await keepAlive(world, 2 * HOUR);
  assert.equal(asked.length, 1);
});

test('an expiry beyond the longest timer does not fire at once', async () => {
  const { world, webSocket } = await liveBooking({}, { expires_at: '2030-01-01T00:00:00Z' });
  await world.advance(1000);
  assert.equal(webSocket.sent.length, 0);
  assert.ok([...world.delays].every((ms) => ms < 2 ** 31), 'no timer overflows');
});

test('a connection that is replaced while a token is fetched does not get it twice', async () => {
  let answer;
  let calls = 0;
  const token = () => (++calls === 1 ? 'first' : new Promise((resolve) => { answer = resolve; }));
  const { world, webSocket } = await liveBooking({ token }, { expires_at: '2026-01-03T11:00:40Z' });
  await world.advance(20_000);
  webSocket.end(1006);
  answer('second');
  await world.advance(500);
  await settle();
  assert.equal(webSocket.sent.length, 0);
  answer('third');
  await accept(world, bookingSnapshot(world));
  assert.equal(world.webSocket.sentOf('authenticate').length, 0);
});

test('a ticket that fails late does not end the connection made meanwhile', async () => {
  const asked = [];
  const ticket = () => new Promise((resolve, reject) => asked.push({ resolve, reject }));
  const { world, stream } = booking({ token: undefined, ticket });
  stream.start();
  await world.advance(20_500); // given up, and asked again
  asked[1].resolve('second');
  await accept(world, bookingSnapshot(world));
  asked[0].reject(new Error('late'));
  await settle();
  assert.equal(stream.state.name, 'live');
});

test('a token renewed for an old connection is not sent on the next one', async () => {
  let answer;
  const token = () => new Promise((resolve) => { answer = resolve; });
  const { world, webSocket } = await liveBooking({ token, ticket: () => 'a ticket' }, { expires_at: '2026-01-03T11:00:40Z' });
  await world.advance(20_000);
  webSocket.end(1006);
  await world.advance(500);
  await accept(world, bookingSnapshot(world));
  answer('late');
  await settle();
  assert.equal(world.webSocket.sentOf('authenticate').length, 0);
});

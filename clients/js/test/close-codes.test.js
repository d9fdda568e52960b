import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, location } from './support/streams.js';
import { settle } from './support/world.js';

/** End the newest connection before it was live, so that the backoff does not start over. */
async function reject(world, code, frames = []) {
  await settle();
  world.webSocket.open();
  for (const frame of frames) world.webSocket.frame(frame);
  world.webSocket.end(code);
  await settle();
}

test('backoff: full jitter under a ceiling from 1 s, doubling, to 30 s', async () => {
  const { world, stream } = booking();
  stream.start();
  world.chance = 0.999;
  for (const ceiling of [1, 2, 4, 8, 16, 30, 30, 30]) {
    await reject(world, 1006);
    const wait = stream.state.retryAt - world.wallTime;
    assert.ok(Math.abs(wait - ceiling * 999) < 1e-6, `${wait} under ${ceiling} s`);
    await world.advance(wait - 1);
    assert.equal(stream.state.name, 'reconnecting');
    await world.advance(1.001);
    assert.equal(stream.state.name, 'connecting');
  }
});

test('full jitter can be zero', async () => {
  const { world, stream } = booking();
  stream.start();
  world.chance = 0;
  await reject(world, 1006);
  assert.equal(world.webSockets.length, 2);
});

test('the limits of the backoff are the application\'s', async () => {
  const { world, stream } = booking({ backoff: { minMs: 10, maxMs: 15 } });
  stream.start();
  world.chance = 1;
  for (const wait of [10, 15, 15]) {
    await reject(world, 1006);
    assert.equal(stream.state.retryAt - world.wallTime, wait);
    await world.advance(wait);
  }
});

test('a connection that lived 10 s starts the backoff over, a shorter one does not', async () => {
  const { world, stream } = booking();
  world.chance = 1;
  stream.start();
  await reject(world, 1006);
  await world.advance(1000);
  await accept(world, bookingSnapshot(world));
  await world.advance(9_999);
  world.webSocket.end(1006);
  assert.equal(stream.state.retryAt - world.wallTime, 2000);
  await world.advance(2000);
  await accept(world, bookingSnapshot(world));
  await world.advance(10_000);
  world.webSocket.end(1006);
  assert.equal(stream.state.retryAt - world.wallTime, 1000);
});

test('the state tells the code, the number of failures and the time of the next try', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.end(1011);
  assert.deepEqual(stream.state, { name: 'reconnecting', retryAt: world.wallTime + 500, attempt: 1, code: 1011 });
});

for (const code of [1000, 1001, 1005, 1006, 1009, 1011, 1012, 4999, undefined]) {
  test(`close code ${code} backs off`, async () => {
    const { stream, webSocket } = await liveBooking();
    webSocket.end(code);
    assert.equal(stream.state.name, 'reconnecting');
  });
}

for (const [code, reason] of [[4003, 'forbidden'], [4004, 'not_found']]) {
  test(`close code ${code} is the end`, async () => {
    const { world, stream } = booking();
    stream.start();
    await reject(world, code, [{ type: 'error', code: 'x', message: 'Not yours' }]);
    assert.deepEqual(stream.state, { name: 'closed', reason, code, message: 'Not yours' });
    await world.advance(3_600_000);
    world.goOnline();
    world.show();
    await settle();
    assert.equal(world.webSockets.length, 1);
    assert.equal(world.timerCount, 0);
  });

  test(`close code ${code} on a live connection is the end, and clears the location`, async () => {
    const { world, stream, told, webSocket } = await liveBooking();
    webSocket.frame({ type: 'error', code: 'old', message: 'An old complaint' });
    webSocket.frame(location(world.timestamp()));
    webSocket.end(code);
    assert.deepEqual(stream.state, { name: 'closed', reason, code, message: undefined });
    assert.equal(stream.location, null);
    assert.equal(told.of('location').at(-1), null);
  });
}

test('4001: a new token, then at once with since', async () => {
  const { world, asked, webSocket } = await liveBooking();
  webSocket.end(4001);
  await settle();
  assert.deepEqual(asked, [{ refresh: false }, { refresh: true }]);
  assert.equal(world.webSockets.length, 2);
  assert.deepEqual(world.webSocket.protocols, ['jwt', 'token-2']);
  assert.equal(world.webSocket.query.get('since'), '3');
});

test('4001 again and again backs off, with a new token each time', async () => {
  const { world, stream, asked } = booking();
  world.chance = 1;
  stream.start();
  await reject(world, 4001);
  for (const wait of [1000, 2000, 4000]) {
    await reject(world, 4001);
    assert.equal(stream.state.retryAt - world.wallTime, wait);
    await world.advance(wait);
  }
  assert.deepEqual(asked.map(({ refresh }) => refresh), [false, true, true, true, true]);
});

test('after 4001 and a good connection, the current token is enough', async () => {
  const { world, asked, webSocket } = await liveBooking();
  webSocket.end(4001);
  await accept(world, bookingSnapshot(world));
  world.webSocket.end(1006);
  await world.advance(1000);
  assert.equal(asked.at(-1).refresh, false);
});

test('4001 with a plain string for a token is the end', async () => {
  const { world, stream } = booking({ token: 'fixed' });
  stream.start();
  await reject(world, 4001, [{ type: 'error', code: 'invalid_token', message: 'Expired' }]);
  assert.deepEqual(stream.state, { name: 'closed', reason: 'unauthenticated', code: 4001, message: 'Expired' });
});

test('4008: at once with since, but not in a loop', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.end(4008);
  await settle();
  assert.equal(world.webSockets.length, 2);
  assert.equal(world.webSocket.query.get('since'), '3');
  await accept(world, bookingSnapshot(world));
  world.webSocket.end(4008);
  assert.equal(stream.state.name, 'reconnecting');
  await world.advance(1000);
  await accept(world, bookingSnapshot(world));
  await world.advance(10_000);
  world.webSocket.end(4008);
  await settle();
  assert.equal(stream.state.name, 'connecting');
});

test('4012: after after_ms with since, not earlier', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.frame({ type: 'reconnect', after_ms: 7300 });
  assert.equal(stream.state.name, 'live');
  webSocket.frame({ type: 'booking_status', seq: 4, status: 'on_the_way', event_type: 'booking_on_the_way' });
  webSocket.end(4012);
  assert.deepEqual(stream.state, { name: 'reconnecting', retryAt: world.wallTime + 7300, attempt: 0, code: 4012 });
  world.goOnline();
  world.show();
  await world.advance(7299);
  assert.equal(world.webSockets.length, 1);
  await world.advance(1);
  assert.equal(world.webSockets.length, 2);
  assert.equal(world.webSocket.query.get('since'), '4');
});

test('4012 with after_ms 0 reconnects at once', async () => {
  const { world, webSocket } = await liveBooking();
  webSocket.frame({ type: 'reconnect', after_ms: 0 });
  webSocket.end(4012);
  await settle();
  assert.equal(world.webSockets.length, 2);
});

test('4012 before the first frame: the first delay is exact, the next longer', async () => {
  const { world, stream } = booking();
  world.chance = 1;
  stream.start();
  const draining = [{ type: 'reconnect', after_ms: 100 }];
  await reject(world, 4012, draining);
  assert.equal(stream.state.retryAt - world.wallTime, 100);
  await world.advance(100);
  await reject(world, 4012, draining);
  assert.equal(stream.state.retryAt - world.wallTime, 2000);
  await world.advance(2000);
  await reject(world, 4012, [{ type: 'reconnect', after_ms: 60_000 }]);
  assert.equal(stream.state.retryAt - world.wallTime, 60_000);
});

test('4012 without a valid frame backs off', async () => {
  for (const frames of [[], [{ type: 'reconnect' }], [{ type: 'reconnect', after_ms: -5 }], [{ type: 'reconnect', after_ms: 'soon' }]]) {
    const { world, stream } = booking();
    stream.start();
    await reject(world, 4012, frames);
    assert.equal(stream.state.retryAt - world.wallTime, 500);
  }
});

test('a connection lost during a drain waits as the server asked', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.frame({ type: 'reconnect', after_ms: 5000 });
  webSocket.end(1006);
  assert.equal(stream.state.retryAt - world.wallTime, 5000);
});

for (const code of [4013, 4029]) {
  test(`close code ${code} backs off further each time, however long the connection lived, and no event shortens it`, async () => {
    const { world, stream, webSocket } = await liveBooking();
    world.chance = 1;
    await world.advance(20_000);
    webSocket.end(code);
    assert.equal(stream.state.retryAt - world.wallTime, 1000);
    world.goOnline();
    world.show();
    stream.resume();
    await world.advance(999);
    assert.equal(world.webSockets.length, 1);
    await world.advance(1);
    await accept(world, bookingSnapshot(world));
    await world.advance(20_000);
    world.webSocket.end(code);
    assert.equal(stream.state.retryAt - world.wallTime, 2000);
  });
}

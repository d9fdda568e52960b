import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveBooking, statusEvent } from './support/streams.js';
import { settle } from './support/world.js';

test('a ping every heartbeat_seconds', async () => {
  const { world, stream, webSocket } = await liveBooking({}, { heartbeat_seconds: 25 });
  for (let pings = 0; pings < 4; pings++) {
    await world.advance(24_999);
    assert.equal(webSocket.sentOf('ping').length, pings);
    await world.advance(1);
    assert.equal(webSocket.sentOf('ping').length, pings + 1);
    webSocket.frame({ type: 'pong' });
  }
  assert.deepEqual(webSocket.sent[0], { type: 'ping' });
  assert.equal(stream.state.name, 'live');
});

test('a snapshot without a valid heartbeat_seconds: every 30 s', async () => {
  for (const heartbeat_seconds of [undefined, 0, -1, 'x']) {
    const { world, webSocket } = await liveBooking({}, { heartbeat_seconds });
    await world.advance(29_999);
    assert.equal(webSocket.sent.length, 0);
    await world.advance(1);
    assert.equal(webSocket.sentOf('ping').length, 1);
  }
});

test('no pong within 10 s: the peer is dead, close and reconnect with since', async () => {
  const { world, stream, webSocket } = await liveBooking();
  await world.advance(30_000);
  await world.advance(9_999);
  assert.equal(stream.state.name, 'live');
  await world.advance(1);
  assert.equal(stream.state.name, 'reconnecting');
  assert.ok(webSocket.closedByClient);
  await world.advance(1000);
  assert.equal(world.webSocket.query.get('since'), '3');
});

test('a pong in time is enough, another frame is not', async () => {
  const { world, stream, webSocket } = await liveBooking();
  await world.advance(39_999);
  webSocket.frame({ type: 'pong' });
  await world.advance(1000);
  assert.equal(stream.state.name, 'live');
  await world.advance(28_000); // the second ping, at 60 s
  webSocket.frame(statusEvent(4));
  await world.advance(1001);
  assert.equal(stream.state.name, 'reconnecting');
});

test('a heartbeat shorter than 10 s waits for one pong at a time', async () => {
  const { world, stream, webSocket } = await liveBooking({}, { heartbeat_seconds: 3 });
  await world.advance(12_999);
  assert.equal(webSocket.sentOf('ping').length, 1);
  assert.equal(stream.state.name, 'live');
  await world.advance(1);
  assert.equal(stream.state.name, 'reconnecting');
});

test('a connection that ends without a close event is detected', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.readyState = 2;
  await world.advance(40_000);
  assert.equal(stream.state.name, 'reconnecting');
});

test('no ping is sent on an ended connection', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.end(1006);
  stream.stop();
  await world.advance(120_000);
  await settle();
  assert.equal(webSocket.sent.length, 0);
});

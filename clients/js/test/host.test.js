import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, statusEvent } from './support/streams.js';
import { settle } from './support/world.js';

test('hidden with pauseWhenHidden: disconnected; visible again: reconnects at once with since', async () => {
  const { world, stream, webSocket } = await liveBooking({ pauseWhenHidden: true });
  webSocket.frame(statusEvent(4));
  world.hide();
  await world.advance(0);
  assert.deepEqual(stream.state, { name: 'paused' });
  assert.ok(webSocket.closedByClient);
  await world.advance(600_000);
  assert.equal(world.webSockets.length, 1);
  world.show();
  await settle();
  assert.equal(world.webSocket.query.get('since'), '4');
});

test('pauseWhenHidden may be a time: a short look elsewhere does not disconnect', async () => {
  const { world, stream } = await liveBooking({ pauseWhenHidden: 5000 });
  world.hide();
  await world.advance(4999);
  world.show();
  await world.advance(5000);
  world.webSocket.frame({ type: 'pong' });
  assert.equal(stream.state.name, 'live');
  world.hide();
  await world.advance(5000);
  assert.equal(stream.state.name, 'paused');
});

test('the time until the pause continues during a reconnect', async () => {
  const { world, stream, webSocket } = await liveBooking({ pauseWhenHidden: 5000 });
  world.hide();
  webSocket.end(1006);
  await world.advance(5000);
  assert.equal(stream.state.name, 'paused');
});

test('without the option a hidden page stays connected', async () => {
  const { world, stream } = await liveBooking();
  world.hide();
  await world.advance(10_000);
  assert.equal(stream.state.name, 'live');
});

test('started in a hidden page, it pauses as well', async () => {
  const { world, stream } = booking({ pauseWhenHidden: true });
  world.document.visibilityState = 'hidden';
  stream.start();
  await world.advance(0);
  assert.equal(stream.state.name, 'paused');
});

test('visible again: a live connection is pinged, and lost without a pong within 10 s', async () => {
  const { world, stream, webSocket } = await liveBooking();
  world.hide();
  world.show();
  assert.equal(webSocket.sentOf('ping').length, 1);
  world.show(); // not one ping more
  assert.equal(webSocket.sentOf('ping').length, 1);
  await world.advance(10_000);
  assert.equal(stream.state.name, 'reconnecting');
});

test('visible again: a waiting stream connects at once', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.end(1006);
  assert.equal(stream.state.name, 'reconnecting');
  world.show();
  await settle();
  assert.equal(world.webSockets.length, 2);
  world.show(); // while connecting: nothing more
  await settle();
  assert.equal(world.webSockets.length, 2);
});

test('offline: told at once, the connection kept and pinged; a pong makes it live again', async () => {
  const { world, stream, told, webSocket } = await liveBooking();
  world.goOffline();
  assert.deepEqual(stream.state, { name: 'offline' });
  assert.equal(webSocket.sentOf('ping').length, 1);
  webSocket.frame(statusEvent(4));
  assert.equal(told.of('status').length, 1);
  webSocket.frame({ type: 'pong' });
  assert.deepEqual(stream.state, { name: 'live' });
});

test('offline and no pong: offline with the time of the next attempt; online: an attempt at once', async () => {
  const { world, stream } = await liveBooking();
  world.goOffline();
  await world.advance(10_000);
  assert.deepEqual(stream.state, { name: 'offline', retryAt: world.wallTime + 500, attempt: 1, code: undefined });
  await world.advance(500); // a server on this machine may answer all the same
  assert.equal(world.webSockets.length, 2);
  world.webSocket.end(1006);
  assert.equal(stream.state.name, 'offline');
  world.goOnline();
  await settle();
  assert.equal(world.webSockets.length, 3);
  await accept(world, bookingSnapshot(world));
  assert.equal(stream.state.name, 'live');
});

test('online: an attempt that fails because it comes too early is repeated soon, whatever failed before', async () => {
  const { world, stream } = await liveBooking();
  world.random = () => 0.999;
  world.goOffline();
  await world.advance(10_000);
  for (let failed = 0; failed < 4; failed++) {
    await world.advance(stream.state.retryAt - world.wallTime);
    world.webSocket.end(1006);
  }
  assert.ok(stream.state.retryAt - world.wallTime > 8000);
  world.goOnline();
  await settle();
  world.webSocket.end(1006);
  assert.ok(stream.state.retryAt - world.wallTime <= 1000);
});

test('offline while waiting: the state changes, the next attempt stays', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.end(1006);
  const { retryAt } = stream.state;
  world.goOffline();
  assert.equal(stream.state.name, 'offline');
  assert.equal(stream.state.retryAt, retryAt);
});

test('online on a live connection: pinged', async () => {
  const { world, webSocket } = await liveBooking();
  world.goOnline();
  assert.equal(webSocket.sentOf('ping').length, 1);
});

test('online on a connection that ended silently: 3 s for the pong, then a new connection at once', async () => {
  const { world, stream } = await liveBooking();
  world.random = () => 0.999;
  world.goOffline();
  await world.advance(2000);
  world.goOnline();
  await world.advance(2999);
  assert.equal(world.webSockets.length, 1);
  await world.advance(1);
  assert.equal(world.webSockets.length, 2);
  assert.equal(world.webSocket.query.get('since'), '3');
  await accept(world, bookingSnapshot(world));
  assert.equal(stream.state.name, 'live');
});

test('online and a pong in time: the connection is kept', async () => {
  const { world, stream, webSocket } = await liveBooking();
  world.goOffline();
  await world.advance(2000);
  world.goOnline();
  await world.advance(2000);
  webSocket.frame({ type: 'pong' });
  await world.advance(20_000);
  assert.equal(world.webSockets.length, 1);
  assert.deepEqual(stream.state, { name: 'live' });
});

test('pause and resume, for an application without a document', async () => {
  const { world, stream, webSocket } = await liveBooking();
  stream.pause();
  assert.deepEqual(stream.state, { name: 'paused' });
  assert.ok(webSocket.closedByClient);
  world.show();
  world.goOnline();
  world.goOffline();
  await world.advance(600_000);
  assert.deepEqual(stream.state, { name: 'paused' });
  assert.equal(world.webSockets.length, 1);
  world.navigator.onLine = true;
  stream.resume();
  await settle();
  assert.equal(world.webSocket.query.get('since'), '3');
});

test('a pause while a token is fetched makes no connection', async () => {
  const { world, stream } = booking();
  stream.start();
  stream.pause();
  await settle();
  assert.equal(world.webSockets.length, 0);
  stream.resume();
  await settle();
  assert.equal(world.webSockets.length, 1);
});

test('a token that fails during a pause does not end it', async () => {
  let fail;
  const { world, stream } = booking({ token: () => new Promise((_, reject) => { fail = reject; }) });
  stream.start();
  await settle();
  stream.pause();
  fail(new Error('no network'));
  await world.advance(60_000);
  assert.equal(stream.state.name, 'paused');
});

test('a pause does not shorten the time that a server asked for', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.frame({ type: 'reconnect', after_ms: 9000 });
  webSocket.end(4012);
  stream.pause();
  await world.advance(4000);
  stream.resume();
  assert.equal(stream.state.retryAt - world.wallTime, 5000);
  await world.advance(4999);
  assert.equal(world.webSockets.length, 1);
  await world.advance(1);
  assert.equal(world.webSockets.length, 2);
});

test('pause() on a stream paused by hidden lasts until resume()', async () => {
  const { world, stream } = await liveBooking({ pauseWhenHidden: true });
  world.hide();
  await world.advance(0);
  stream.pause();
  world.show();
  await settle();
  assert.equal(stream.state.name, 'paused');
  stream.resume();
  await settle();
  assert.equal(world.webSockets.length, 2);
});

test('a hidden page changes nothing about a pause by the application', async () => {
  const { world, stream } = await liveBooking({ pauseWhenHidden: 5000 });
  world.hide();
  stream.pause();
  await world.advance(5000);
  world.show();
  await settle();
  assert.equal(stream.state.name, 'paused');
  assert.equal(world.webSockets.length, 1);
});

test('stopped while hidden: no timer is left', async () => {
  const { world, stream } = await liveBooking({ pauseWhenHidden: 5000 });
  world.hide();
  stream.stop();
  assert.equal(world.timerCount, 0);
});

test('pause and resume mean nothing to a stream that is not running', async () => {
  const { world, stream } = booking();
  stream.pause();
  stream.resume();
  await settle();
  assert.equal(stream.state.name, 'idle');
  assert.equal(world.webSockets.length, 0);
});

test('no event of the host has a listener before start and after stop', async () => {
  const { world, stream } = booking();
  assert.deepEqual([world.document.counts, world.window.counts], [{}, {}]);
  stream.start();
  assert.deepEqual([world.document.counts, world.window.counts], [{ visibilitychange: 1 }, { online: 1, offline: 1 }]);
  stream.stop();
  assert.deepEqual([world.document.counts, world.window.counts], [{ visibilitychange: 0 }, { online: 0, offline: 0 }]);
});

test('a host without document, window and navigator, or with ones that cannot be listened to', async () => {
  for (const bare of [{ document: undefined, window: undefined, navigator: undefined }, { document: {}, window: {}, navigator: {} }]) {
    const { world } = booking();
    const { stream } = booking({ environment: { ...world.environment, ...bare } });
    stream.start();
    await accept(world, bookingSnapshot(world));
    world.webSocket.end(1006);
    assert.equal(stream.state.name, 'reconnecting');
    stream.stop();
  }
});

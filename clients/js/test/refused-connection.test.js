/** A refused connection on each host: Node 22 sends an error event and no close event. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { test } from 'node:test';
import { WebSocket as PackageWebSocket } from 'ws';
import { BookingStream } from '../src/index.js';
import { BOOKING, booking, liveBooking } from './support/streams.js';
import { settle } from './support/world.js';

test('an error event without a close event: lost at once, not after 20 s', async () => {
  const { world, stream, told } = booking();
  stream.start();
  for (let attempt = 1; attempt <= 3; attempt++) {
    await settle();
    world.webSocket.failWithoutClose();
    await world.advance(0);
    assert.equal(stream.state.name, 'reconnecting');
    assert.equal(stream.state.attempt, attempt);
    await world.advance(stream.state.retryAt - world.wallTime);
    assert.equal(world.webSockets.length, attempt + 1);
  }
  assert.ok(world.elapsed < 20_000);
  assert.equal(told.of('state').filter(({ name }) => name === 'reconnecting').length, 3);
  stream.stop();
  assert.equal(world.timerCount, 0);
});

test('an error event with a close event after it: lost once, with the code', async () => {
  const { world, stream, told } = booking();
  stream.start();
  await settle();
  world.webSocket.failWithoutClose();
  world.webSocket.end(1006);
  await world.advance(0);
  assert.equal(stream.state.code, 1006);
  assert.equal(stream.state.attempt, 1);
  assert.equal(told.of('state').filter(({ name }) => name === 'reconnecting').length, 1);
});

test('an error event on an open connection waits for the close event', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.failWithoutClose();
  await world.advance(0);
  assert.equal(stream.state.name, 'live');
  webSocket.end(4003);
  assert.equal(stream.state.reason, 'forbidden');
});

/** Return a port of this machine that refuses connections. */
async function refusedPort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

const hosts = { 'the package ws': PackageWebSocket, ...(globalThis.WebSocket && { [`Node ${process.version}`]: globalThis.WebSocket }) };
for (const [host, WebSocket] of Object.entries(hosts)) {
  test(`a real refused port with the WebSocket of ${host}: the next attempt comes after the backoff`, async () => {
    const stream = new BookingStream({
      url: `http://127.0.0.1:${await refusedPort()}`,
      bookingId: BOOKING,
      token: 'a.b.c',
      WebSocket,
      backoff: { minMs: 1, maxMs: 5 },
      // The time limit of an attempt never fires here: only the error or close event can end it.
      environment: { setTimeout: (run, ms) => (ms < 20_000 ? setTimeout(run, ms) : undefined) },
    });
    const third = new Promise((resolve) => stream.on('state', ({ name, attempt }) => name === 'reconnecting' && attempt === 3 && resolve()));
    stream.start();
    await third;
    stream.stop();
    assert.deepEqual(stream.state, { name: 'closed', reason: 'stopped' });
  });
}

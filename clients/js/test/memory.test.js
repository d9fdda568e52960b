import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { BookingStream, NotificationStream } from '../src/index.js';
import { accept, BOOKING, bookingSnapshot, notification, notificationsSnapshot, location, statusEvent } from './support/streams.js';
import { FakeWorld, settle } from './support/world.js';

const EVENTS = 100_000;
const BATCH = 1000;
const ALLOWED_BYTES = 500_000;

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');

async function heap() {
  await settle();
  collect();
  collect();
  return process.memoryUsage().heapUsed;
}

/** Sends 100,000 events in batches, reconnecting between them, once for warming up and once measured. */
async function growth(Stream, options, snapshot, eventAt) {
  const world = new FakeWorld();
  const stream = new Stream({ url: 'https://api.example.org', token: () => 'token', environment: world.environment, ...options });
  let heard = 0;
  for (const type of ['status', 'notification']) stream.on(type, () => heard++);
  stream.start();
  let seq = 0;
  const send = async (count) => {
    for (let sent = 0; sent < count; sent += BATCH) {
      const webSocket = await accept(world, snapshot(world, { seq }));
      for (let i = 0; i < BATCH; i++) {
        webSocket.frame(eventAt(++seq));
        webSocket.frame(location(world.timestamp(i)));
        webSocket.frame({ type: 'pong' });
      }
      await world.advance(10_000);
      world.webSockets.length = 0;
      webSocket.end(4008);
    }
  };
  await send(5 * BATCH);
  const before = await heap();
  await send(EVENTS);
  const after = await heap();
  assert.equal(heard, EVENTS + 5 * BATCH);
  stream.stop();
  assert.equal(world.timerCount, 0);
  return after - before;
}

test('100,000 booking events leave no growth of memory', async () => {
  const grown = await growth(BookingStream, { bookingId: BOOKING, since: 0 }, bookingSnapshot, (seq) => statusEvent(seq));
  assert.ok(grown < ALLOWED_BYTES, `${grown} bytes`);
});

test('100,000 notifications leave no growth of memory', async () => {
  const grown = await growth(NotificationStream, { since: 0 }, notificationsSnapshot, notification);
  assert.ok(grown < ALLOWED_BYTES, `${grown} bytes`);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, statusEvent } from './support/streams.js';
import { settle } from './support/world.js';

const seqs = (told) => told.of('status').map(({ seq }) => seq);

test('without since: the snapshot\'s seq, then new events', async () => {
  const { stream, told, webSocket } = await liveBooking();
  webSocket.frame(statusEvent(4));
  webSocket.frame(statusEvent(5, 'arrived'));
  assert.deepEqual(seqs(told), [4, 5]);
  assert.equal(stream.seq, 5);
});

test('with since: the number stays that of the events processed, never the snapshot\'s', async () => {
  const { world, stream, told } = booking({ since: 1 });
  stream.start();
  const webSocket = await accept(world, bookingSnapshot(world, { seq: 3, replay: 2 }));
  assert.equal(webSocket.query.get('since'), '1');
  assert.equal(stream.seq, 1);
  webSocket.frame(statusEvent(2, 'requested'));
  assert.equal(stream.seq, 2);
  webSocket.end(1006); // in the middle of the replay
  await world.advance(1000);
  assert.equal(world.webSocket.query.get('since'), '2');
  await accept(world, bookingSnapshot(world, { seq: 3, replay: 1 }));
  world.webSocket.frame(statusEvent(3, 'confirmed'));
  assert.deepEqual(seqs(told), [2, 3]);
});

test('since 0 asks for all events', async () => {
  const { world, stream, told } = booking({ since: 0 });
  stream.start();
  const webSocket = await accept(world, bookingSnapshot(world, { seq: 2, replay: 2 }));
  assert.equal(webSocket.query.get('since'), '0');
  webSocket.frame(statusEvent(1, 'requested'));
  webSocket.frame(statusEvent(2, 'confirmed'));
  assert.deepEqual(seqs(told), [1, 2]);
});

test('a seq received before is dropped', async () => {
  const { told, webSocket } = await liveBooking();
  for (const seq of [4, 4, 3, 1, 5, 4, 5]) webSocket.frame(statusEvent(seq));
  assert.deepEqual(seqs(told), [4, 5]);
});

test('a gap: no later event is given, reconnect at once with since', async () => {
  const { world, stream, told, webSocket } = await liveBooking();
  webSocket.frame(statusEvent(4));
  webSocket.frame(statusEvent(6));
  webSocket.frame(statusEvent(5));
  await settle();
  assert.deepEqual(seqs(told), [4]);
  assert.ok(webSocket.closedByClient);
  assert.equal(stream.state.name, 'connecting');
  assert.equal(world.webSocket.query.get('since'), '4');
});

test('repeated gaps back off', async () => {
  const { world, stream, webSocket } = await liveBooking();
  webSocket.frame(statusEvent(9));
  await accept(world, bookingSnapshot(world));
  world.webSocket.frame(statusEvent(9));
  assert.equal(stream.state.name, 'reconnecting');
});

test('an event without a valid seq is dropped', async () => {
  const { told, webSocket } = await liveBooking();
  for (const seq of [undefined, null, 'x', NaN]) webSocket.frame({ ...statusEvent(4), seq });
  assert.deepEqual(seqs(told), []);
});

test('an event before the first snapshot is dropped', async () => {
  const { world, stream, told } = booking();
  stream.start();
  await settle();
  world.webSocket.open();
  world.webSocket.frame(statusEvent(4));
  assert.deepEqual(seqs(told), []);
  assert.equal(stream.seq, undefined);
});

test('resync_required: the application is told, and the stream continues after its seq', async () => {
  const { world, stream, told } = booking({ since: 40 });
  stream.start();
  const webSocket = await accept(world, bookingSnapshot(world, { seq: 3 }));
  webSocket.frame({ type: 'resync_required', seq: 3 });
  assert.deepEqual(told.of('resync'), [{ type: 'resync_required', seq: 3 }]);
  assert.equal(stream.seq, 3);
  webSocket.frame(statusEvent(4));
  assert.deepEqual(seqs(told), [4]);
  webSocket.end(1006);
  await world.advance(1000);
  assert.equal(world.webSocket.query.get('since'), '4');
});

test('resync_required on a live connection: the database was restored', async () => {
  const { stream, told, webSocket } = await liveBooking({}, { seq: 9 });
  webSocket.frame(statusEvent(10));
  webSocket.frame({ type: 'resync_required', seq: 2 });
  webSocket.frame(statusEvent(3, 'completed'));
  assert.deepEqual(seqs(told), [10, 3]);
  assert.equal(stream.status, 'completed');
});

test('seq is set before the listener runs', async () => {
  const { stream, webSocket } = await liveBooking();
  const seen = [];
  stream.on('status', ({ seq }) => seen.push([seq, stream.seq, stream.status]));
  webSocket.frame(statusEvent(4, 'arrived'));
  assert.deepEqual(seen, [[4, 4, 'arrived']]);
});

test('replayed events do not change the known status', async () => {
  const { world, stream } = booking({ since: 0 });
  stream.start();
  const webSocket = await accept(world, bookingSnapshot(world, { seq: 3, status: 'arrived', replay: 3 }));
  webSocket.frame(statusEvent(1, 'requested'));
  assert.equal(stream.status, 'arrived');
});

test('an event with ack is acknowledged after its listeners, and once', async () => {
  const { told, webSocket } = await liveBooking();
  const acks = () => webSocket.sent.filter(({ type }) => type === 'ack');
  webSocket.frame(statusEvent(4));
  webSocket.frame({ ...statusEvent(5), ack: true });
  webSocket.frame({ ...statusEvent(5), ack: true }); // a number seen before
  assert.deepEqual(seqs(told), [4, 5]);
  assert.deepEqual(acks(), [{ type: 'ack', seq: 5 }]);
});

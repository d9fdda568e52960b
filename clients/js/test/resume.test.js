import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, statusEvent } from './support/streams.js';
import { settle } from './support/world.js';

const seqs = (told) => told.of('status').map(({ seq }) => seq);

test('without since: the snapshot\'s number, then what is new', async () => {
  const { stream, told, socket } = await liveBooking();
  socket.frame(statusEvent(4));
  socket.frame(statusEvent(5, 'arrived'));
  assert.deepEqual(seqs(told), [4, 5]);
  assert.equal(stream.seq, 5);
});

test('with since: the number stays that of the events processed, never the snapshot\'s', async () => {
  const { world, stream, told } = booking({ since: 1 });
  stream.start();
  const socket = await accept(world, bookingSnapshot(world, { seq: 3, replay: 2 }));
  assert.equal(socket.query.get('since'), '1');
  assert.equal(stream.seq, 1);
  socket.frame(statusEvent(2, 'requested'));
  assert.equal(stream.seq, 2);
  socket.end(1006); // in the middle of the replay
  await world.advance(1000);
  assert.equal(world.socket.query.get('since'), '2');
  await accept(world, bookingSnapshot(world, { seq: 3, replay: 1 }));
  world.socket.frame(statusEvent(3, 'confirmed'));
  assert.deepEqual(seqs(told), [2, 3]);
});

test('since 0 asks for everything', async () => {
  const { world, stream, told } = booking({ since: 0 });
  stream.start();
  const socket = await accept(world, bookingSnapshot(world, { seq: 2, replay: 2 }));
  assert.equal(socket.query.get('since'), '0');
  socket.frame(statusEvent(1, 'requested'));
  socket.frame(statusEvent(2, 'confirmed'));
  assert.deepEqual(seqs(told), [1, 2]);
});

test('a number seen before is dropped', async () => {
  const { told, socket } = await liveBooking();
  for (const seq of [4, 4, 3, 1, 5, 4, 5]) socket.frame(statusEvent(seq));
  assert.deepEqual(seqs(told), [4, 5]);
});

test('a gap: nothing after it is handed over, reconnect at once with since', async () => {
  const { world, stream, told, socket } = await liveBooking();
  socket.frame(statusEvent(4));
  socket.frame(statusEvent(6));
  socket.frame(statusEvent(5));
  await settle();
  assert.deepEqual(seqs(told), [4]);
  assert.ok(socket.closedByClient);
  assert.equal(stream.state.name, 'connecting');
  assert.equal(world.socket.query.get('since'), '4');
});

test('a server that keeps making gaps is not hammered', async () => {
  const { world, stream, socket } = await liveBooking();
  socket.frame(statusEvent(9));
  await accept(world, bookingSnapshot(world));
  world.socket.frame(statusEvent(9));
  assert.equal(stream.state.name, 'reconnecting');
});

test('an event without a usable number is dropped', async () => {
  const { told, socket } = await liveBooking();
  for (const seq of [undefined, null, 'x', NaN]) socket.frame({ ...statusEvent(4), seq });
  assert.deepEqual(seqs(told), []);
});

test('an event before the first snapshot is dropped, for its number means nothing yet', async () => {
  const { world, stream, told } = booking();
  stream.start();
  await settle();
  world.socket.open();
  world.socket.frame(statusEvent(4));
  assert.deepEqual(seqs(told), []);
  assert.equal(stream.seq, undefined);
});

test('resync_required: the application is told, and the stream goes on from its number', async () => {
  const { world, stream, told } = booking({ since: 40 });
  stream.start();
  const socket = await accept(world, bookingSnapshot(world, { seq: 3 }));
  socket.frame({ type: 'resync_required', seq: 3 });
  assert.deepEqual(told.of('resync'), [{ type: 'resync_required', seq: 3 }]);
  assert.equal(stream.seq, 3);
  socket.frame(statusEvent(4));
  assert.deepEqual(seqs(told), [4]);
  socket.end(1006);
  await world.advance(1000);
  assert.equal(world.socket.query.get('since'), '4');
});

test('resync_required on a live socket: a server set back by a restore', async () => {
  const { stream, told, socket } = await liveBooking({}, { seq: 9 });
  socket.frame(statusEvent(10));
  socket.frame({ type: 'resync_required', seq: 2 });
  socket.frame(statusEvent(3, 'completed'));
  assert.deepEqual(seqs(told), [10, 3]);
  assert.equal(stream.status, 'completed');
});

test('the number of an event is set before its listener runs', async () => {
  const { stream, socket } = await liveBooking();
  const seen = [];
  stream.on('status', ({ seq }) => seen.push([seq, stream.seq, stream.status]));
  socket.frame(statusEvent(4, 'arrived'));
  assert.deepEqual(seen, [[4, 4, 'arrived']]);
});

test('replayed statuses do not set the known status back', async () => {
  const { world, stream } = booking({ since: 0 });
  stream.start();
  const socket = await accept(world, bookingSnapshot(world, { seq: 3, status: 'arrived', replay: 3 }));
  socket.frame(statusEvent(1, 'requested'));
  assert.equal(stream.status, 'arrived');
});

test('an event that asks for it is acknowledged once it was handed over, and once', async () => {
  const { told, socket } = await liveBooking();
  const acks = () => socket.sent.filter(({ type }) => type === 'ack');
  socket.frame(statusEvent(4));
  socket.frame({ ...statusEvent(5), ack: true });
  socket.frame({ ...statusEvent(5), ack: true }); // a number seen before
  assert.deepEqual(seqs(told), [4, 5]);
  assert.deepEqual(acks(), [{ type: 'ack', seq: 5 }]);
});

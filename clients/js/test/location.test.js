import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, position, statusEvent } from './support/streams.js';

const places = (told) => told.of('location').map((location) => location && location.timestamp.slice(17, -1));
const at = (second, more) => position(`2026-01-03T11:00:${second}Z`, more);

test('positions are shown as they come, with everything that they carry', async () => {
  const { world, stream, told, socket } = await liveBooking();
  await world.advance(10_000);
  const here = at('04', { eta_minutes: 7 });
  socket.frame(here);
  socket.frame(at('06'));
  assert.deepEqual(told.of('location')[0], here);
  assert.deepEqual(places(told), ['04', '06']);
  assert.equal(stream.location.timestamp, '2026-01-03T11:00:06Z');
});

test('never an older one after a newer one, nor the same one twice', async () => {
  const { world, told, socket } = await liveBooking();
  await world.advance(10_000);
  for (const second of ['04', '02', '04', '03.999', '05', '04']) socket.frame(at(second));
  assert.deepEqual(places(told), ['04', '05']);
});

test('another one of the same time is shown: the server took it after the first', async () => {
  const { world, stream, told, socket } = await liveBooking();
  await world.advance(10_000);
  for (const lat of [28.61, 28.61, 28.62]) socket.frame(at('04', { lat }));
  assert.deepEqual(told.of('location').map(({ lat }) => lat), [28.61, 28.62]);
  assert.equal(stream.location.lat, 28.62);
});

test('the snapshot\'s position: shown if newer, not repeated, never a step back', async () => {
  const { world, told, socket } = await liveBooking({}, { location: at('00') });
  await world.advance(8_000);
  socket.frame(at('05'));
  socket.end(1006);
  await world.advance(500);
  await accept(world, bookingSnapshot(world, { location: at('03') }));
  await accept(world, bookingSnapshot(world, { location: at('05') }));
  await accept(world, bookingSnapshot(world, { location: at('07') }));
  assert.deepEqual(places(told), ['00', '05', '07']);
});

test('a snapshot without a position clears the one shown', async () => {
  const { world, stream, told, socket } = await liveBooking({}, { location: at('00') });
  socket.end(1006);
  await world.advance(500);
  await accept(world, bookingSnapshot(world));
  assert.deepEqual(places(told), ['00', null]);
  assert.equal(stream.location, null);
});

test('a phone whose clock is ahead does not hide the positions that follow', async () => {
  const { world, told, socket } = await liveBooking();
  await world.advance(1000);
  socket.frame(at('50')); // 49 s ahead
  await world.advance(4000);
  socket.frame(at('04'));
  await world.advance(2000);
  socket.frame(at('03.5')); // older than the one shown
  assert.deepEqual(places(told), ['50', '04']);
});

for (const status of ['completed', 'cancelled']) {
  test(`${status}: the position is cleared, and later ones are not shown`, async () => {
    const { world, stream, told, socket } = await liveBooking({}, { location: at('00') });
    socket.frame(statusEvent(4, status));
    await world.advance(2000);
    socket.frame(at('01'));
    assert.deepEqual(places(told), ['00', null]);
    assert.equal(stream.location, null);
    assert.deepEqual(told.map(({ type }) => type).slice(-2), ['status', 'location']);
  });

  test(`a snapshot that is ${status} shows no position, not even one that it carries`, async () => {
    const { world, told, socket } = await liveBooking({}, { status, location: at('00') });
    await world.advance(2000);
    socket.frame(at('01'));
    assert.deepEqual(places(told), []);
  });
}

test('another worker: the first one\'s position is cleared, and the new one\'s clock starts afresh', async () => {
  const { world, told, socket } = await liveBooking();
  await world.advance(20_000);
  socket.frame(at('15'));
  socket.frame(statusEvent(4, 'confirmed', { event_type: 'booking_assigned' }));
  socket.frame(at('12'));
  assert.deepEqual(places(told), ['15', null, '12']);
});

test('events that are replayed do not clear what the snapshot, which is newer, shows', async () => {
  const { world, stream, told } = booking({ since: 1 });
  stream.start();
  const socket = await accept(world, bookingSnapshot(world, { seq: 3, status: 'on_the_way', location: at('00'), replay: 2 }));
  socket.frame(statusEvent(2, 'confirmed', { event_type: 'booking_assigned' }));
  socket.frame(statusEvent(3, 'on_the_way'));
  assert.deepEqual(places(told), ['00']);
  socket.frame(statusEvent(4, 'completed'));
  assert.deepEqual(places(told), ['00', null]);
});

test('a position without a usable time is not shown', async () => {
  const { told, socket } = await liveBooking();
  for (const timestamp of [undefined, null, 'yesterday']) socket.frame(position(timestamp));
  assert.deepEqual(places(told), []);
});

test('nothing to clear, nothing told', async () => {
  const { told, socket } = await liveBooking();
  socket.frame(statusEvent(4, 'completed'));
  assert.deepEqual(places(told), []);
});

test('a stream that is stopped keeps the last position; one that is refused does not', async () => {
  const stopped = await liveBooking({}, { location: at('00') });
  stopped.stream.stop();
  assert.ok(stopped.stream.location);
  const refused = await liveBooking({}, { location: at('00') });
  refused.socket.end(4003);
  assert.equal(refused.stream.location, null);
});

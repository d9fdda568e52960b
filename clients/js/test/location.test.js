import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, booking, bookingSnapshot, liveBooking, location, statusEvent } from './support/streams.js';

const places = (told) => told.of('location').map((location) => location && location.timestamp.slice(17, -1));
const at = (second, more) => location(`2026-01-03T11:00:${second}Z`, more);

test('locations are given as they come, with all their keys', async () => {
  const { world, stream, told, webSocket } = await liveBooking();
  await world.advance(10_000);
  const here = at('04', { eta_minutes: 7 });
  webSocket.frame(here);
  webSocket.frame(at('06'));
  assert.deepEqual(told.of('location')[0], here);
  assert.deepEqual(places(told), ['04', '06']);
  assert.equal(stream.location.timestamp, '2026-01-03T11:00:06Z');
});

test('never an older location after a newer one, nor the same one twice', async () => {
  const { world, told, webSocket } = await liveBooking();
  await world.advance(10_000);
  for (const second of ['04', '02', '04', '03.999', '05', '04']) webSocket.frame(at(second));
  assert.deepEqual(places(told), ['04', '05']);
});

test('another location of the same time is given: the server accepted it after the first', async () => {
  const { world, stream, told, webSocket } = await liveBooking();
  await world.advance(10_000);
  for (const lat of [28.61, 28.61, 28.62]) webSocket.frame(at('04', { lat }));
  assert.deepEqual(told.of('location').map(({ lat }) => lat), [28.61, 28.62]);
  assert.equal(stream.location.lat, 28.62);
});

test('the snapshot\'s location: given if newer, not repeated, never an older one', async () => {
  const { world, told, webSocket } = await liveBooking({}, { location: at('00') });
  await world.advance(8_000);
  webSocket.frame(at('05'));
  webSocket.end(1006);
  await world.advance(500);
  await accept(world, bookingSnapshot(world, { location: at('03') }));
  await accept(world, bookingSnapshot(world, { location: at('05') }));
  await accept(world, bookingSnapshot(world, { location: at('07') }));
  assert.deepEqual(places(told), ['00', '05', '07']);
});

test('a snapshot without a location clears the last one', async () => {
  const { world, stream, told, webSocket } = await liveBooking({}, { location: at('00') });
  webSocket.end(1006);
  await world.advance(500);
  await accept(world, bookingSnapshot(world));
  assert.deepEqual(places(told), ['00', null]);
  assert.equal(stream.location, null);
});

test('a phone whose clock is ahead does not hide later locations', async () => {
  const { world, told, webSocket } = await liveBooking();
  await world.advance(1000);
  webSocket.frame(at('50')); // 49 s ahead
  await world.advance(4000);
  webSocket.frame(at('04'));
  await world.advance(2000);
  webSocket.frame(at('03.5')); // older than the one shown
  assert.deepEqual(places(told), ['50', '04']);
});

for (const status of ['completed', 'cancelled']) {
  test(`${status}: the location is cleared, and later ones are not given`, async () => {
    const { world, stream, told, webSocket } = await liveBooking({}, { location: at('00') });
    webSocket.frame(statusEvent(4, status));
    await world.advance(2000);
    webSocket.frame(at('01'));
    assert.deepEqual(places(told), ['00', null]);
    assert.equal(stream.location, null);
    assert.deepEqual(told.map(({ type }) => type).slice(-2), ['status', 'location']);
  });

  test(`a snapshot that is ${status} gives no location, not even its own`, async () => {
    const { world, told, webSocket } = await liveBooking({}, { status, location: at('00') });
    await world.advance(2000);
    webSocket.frame(at('01'));
    assert.deepEqual(places(told), []);
  });
}

test('another worker: the location of the first is cleared, and the order starts over for the second', async () => {
  const { world, told, webSocket } = await liveBooking();
  await world.advance(20_000);
  webSocket.frame(at('15'));
  webSocket.frame(statusEvent(4, 'confirmed', { event_type: 'booking_assigned' }));
  webSocket.frame(at('12'));
  assert.deepEqual(places(told), ['15', null, '12']);
});

test('replayed events do not clear the location of the newer snapshot', async () => {
  const { world, stream, told } = booking({ since: 1 });
  stream.start();
  const webSocket = await accept(world, bookingSnapshot(world, { seq: 3, status: 'on_the_way', location: at('00'), replay: 2 }));
  webSocket.frame(statusEvent(2, 'confirmed', { event_type: 'booking_assigned' }));
  webSocket.frame(statusEvent(3, 'on_the_way'));
  assert.deepEqual(places(told), ['00']);
  webSocket.frame(statusEvent(4, 'completed'));
  assert.deepEqual(places(told), ['00', null]);
});

test('a location without a valid time is not given', async () => {
  const { told, webSocket } = await liveBooking();
  for (const timestamp of [undefined, null, 'yesterday']) webSocket.frame(location(timestamp));
  assert.deepEqual(places(told), []);
});

test('without a location nothing is cleared', async () => {
  const { told, webSocket } = await liveBooking();
  webSocket.frame(statusEvent(4, 'completed'));
  assert.deepEqual(places(told), []);
});

test('a stopped stream keeps the last location; a rejected one does not', async () => {
  const stopped = await liveBooking({}, { location: at('00') });
  stopped.stream.stop();
  assert.ok(stopped.stream.location);
  const refused = await liveBooking({}, { location: at('00') });
  refused.webSocket.end(4003);
  assert.equal(refused.stream.location, null);
});

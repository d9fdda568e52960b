import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accepted, overConnection, overRest, response } from './support/senders.js';
import { settle } from './support/world.js';

test('times are the server\'s: a phone ten minutes slow', async () => {
  const { world, device, sent, accept } = await overConnection({}, { server_time: '2026-01-03T11:10:00Z' });
  device.move(28.61, {}, world.wallTime - 3000);
  assert.equal(sent()[0].timestamp, '2026-01-03T11:09:57.000Z');
  accept();
});

test('over REST the `Date` of an answer tells the server\'s time; small differences are its rounding', async () => {
  const { world, sender, device, posts } = overRest();
  const dates = ['Sat, 03 Jan 2026 11:10:00 GMT', 'Sat, 03 Jan 2026 11:00:03 GMT', null];
  world.answer = () => response(200, accepted(world), { Date: dates.shift() });
  sender.start();
  for (const lat of [28.61, 28.62, 28.63]) {
    device.move(lat);
    await world.advance(2000);
  }
  assert.deepEqual(posts().map(({ timestamp }) => timestamp.slice(11, 19)), ['11:00:00', '11:10:02', '11:00:04']);
});

test('a location keeps its time while it waits', async () => {
  const { world, device, sent, accept } = await overConnection();
  device.move(28.61);
  accept(15_000);
  device.move(28.62);
  await world.advance(15_000);
  assert.equal(sent()[1].timestamp, '2026-01-03T11:00:00.000Z');
});

test('a location of the future counts as of now, and an older one than the newest not at all', async () => {
  const { world, device, sent, accept } = await overConnection();
  await world.advance(10_000);
  device.move(28.61, {}, world.wallTime + 90_000);
  assert.equal(sent()[0].timestamp, '2026-01-03T11:00:10.000Z');
  accept();
  device.move(28.5, {}, world.wallTime - 5000);
  await world.advance(15_000);
  assert.equal(sent().length, 1);
});

test('values that the server would reject are left out', async () => {
  const { device, sent } = await overConnection();
  device.move(28.123456789, { accuracy: 2e6, heading: NaN, speed: 4000 });
  assert.deepEqual(Object.keys(sent()[0]).sort(), ['id', 'lat', 'lng', 'timestamp', 'type']);
  assert.equal(sent()[0].lat, 28.123457);
});

test('a heading of 360 is north', async () => {
  for (const heading of [360, 359.97]) {
    const { device, sent } = await overConnection();
    device.move(28.61, { heading });
    assert.equal(sent()[0].heading, 0);
  }
});

test('`push` is for other sources; it rejects what are not degrees', async () => {
  const { sender, posts } = overRest({ geolocation: null });
  sender.push({ lat: 28.5, lng: 77.2 });
  sender.start();
  sender.push({ lat: 28.61, lng: 77.2 });
  await settle();
  assert.deepEqual(posts().map(({ lat }) => lat), [28.61]);
  for (const lat of [91, NaN, undefined]) assert.throws(() => sender.push({ lat, lng: 77.2 }), /lat and lng are not degrees/);
});

test('at rest and watched, the first movement is sent two seconds after the last location', async () => {
  const { world, device, sent, accept } = await overConnection();
  device.move(28.61);
  accept(4000);
  await world.advance(500);
  device.move(28.61005, { accuracy: 5 }); // 5 m: noise
  await world.advance(1000);
  device.move(28.6105, { accuracy: 5 }); // 55 m
  await world.advance(499);
  assert.equal(sent().length, 1);
  await world.advance(1);
  assert.deepEqual(sent().map(({ lat }) => lat), [28.61, 28.6105]);
  accept(15_000); // nobody watches
  device.move(28.62);
  await world.advance(14_999);
  assert.equal(sent().length, 2);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DENIED, overConnection, overRest, TIMEOUT, UNAVAILABLE } from './support/senders.js';
import { BOOKING } from './support/streams.js';
import { settle } from './support/world.js';

const precise = ({ watch }) => watch.options.enableHighAccuracy;

test('satellites while somebody watches, an approximate location otherwise', async () => {
  const { world, device, accept } = await overConnection();
  assert.equal(precise(device), true);
  device.move(28.61);
  accept(15_000);
  assert.equal(precise(device), false);
  assert.equal(device.watches.filter(({ open }) => open).length, 1);
  world.webSocket.frame({ type: 'pace', booking_id: BOOKING, next_in_ms: 2000 });
  assert.equal(precise(device), true);
  await world.advance(2000);
  device.move(28.62);
  accept(4000); // watched, at rest
  assert.equal(precise(device), true);
});

test('at rest, a silent device is asked, so that the location stays fresh', async () => {
  const { world, device, sent, accept } = await overConnection();
  device.move(28.61);
  accept();
  await world.advance(3999);
  assert.equal(device.asked, 0);
  await world.advance(1);
  assert.equal(device.asked, 1);
  device.question.success(device.at(28.61));
  assert.deepEqual(sent().map(({ timestamp }) => timestamp.slice(17, 19)), ['00', '04']);
});

test('denied: says so, and goes on when the permission comes', async () => {
  const { world, sender, device, told } = overRest();
  sender.start();
  await settle();
  device.fail(DENIED);
  assert.deepEqual(sender.state, { name: 'denied', message: 'User denied Geolocation' });
  assert.equal(device.watch, undefined);
  world.permission.state = 'granted';
  world.permission.dispatchEvent(new Event('change'));
  device.move(28.61);
  await settle();
  assert.deepEqual(told.states(), ['locating', 'denied', 'locating', 'sharing']);
});

test('denied: `start` asks again', async () => {
  const { sender, device } = overRest();
  sender.start();
  device.fail(DENIED);
  sender.start();
  assert.ok(device.watch);
  sender.start();
  assert.equal(device.watches.length, 2 + 1);
});

test('a device whose location is off says so until it is on', async () => {
  const { world, sender, device, told } = overRest();
  sender.start();
  device.move(28.61);
  await settle();
  device.fail(UNAVAILABLE);
  assert.equal(sender.state.name, 'unavailable');
  await world.advance(4000);
  assert.equal(device.asked, 1);
  device.move(28.62);
  await settle();
  assert.deepEqual(told.states(), ['locating', 'sharing', 'unavailable', 'sharing']);
});

test('a single timeout is not reported, a lasting one is', async () => {
  const { world, sender, device } = overRest();
  sender.start();
  device.move(28.61);
  await world.advance(4000);
  device.question.error(TIMEOUT);
  assert.equal(sender.state.name, 'sharing');
  await world.advance(10_000);
  device.question.error(TIMEOUT);
  assert.equal(sender.state.name, 'unavailable');
});

test('the screen stays on, and again after the page was hidden', async () => {
  const { world, sender, told } = overRest();
  sender.start();
  await settle();
  assert.equal(sender.awake, true);
  world.document.visibilityState = 'hidden';
  await world.locks[0].release(); // by the browser
  world.document.tell('visibilitychange');
  assert.equal(sender.awake, false);
  world.show();
  await settle();
  assert.equal(world.locks.length, 2);
  assert.equal(sender.awake, true);
  sender.stop();
  assert.equal(world.locks[1].held, false);
  assert.deepEqual(told.of('awake'), [true, false, true, false]);
});

test('a lock that comes after the stop is released', async () => {
  const { world, sender } = overRest();
  sender.start();
  sender.stop();
  await settle();
  assert.equal(world.locks[0].held, false);
  assert.equal(sender.awake, false);
});

test('`keepAwake: false`, and browsers without wake locks', async () => {
  const { world, sender } = overRest({ keepAwake: false });
  sender.start();
  await settle();
  assert.equal(world.locks.length, 0);
  const old = overRest();
  delete old.world.navigator.wakeLock;
  delete old.world.navigator.permissions;
  old.sender.start();
  await settle();
  assert.equal(old.sender.awake, false);
});

test('a page that is visible again watches the device again and sends what waited', async () => {
  const { world, sender, device, lats } = overRest();
  world.answer = () => {
    throw new TypeError('fetch failed');
  };
  sender.start();
  device.move(28.61);
  await settle();
  const before = lats().length;
  world.hide();
  const { watch } = device;
  world.show();
  await settle();
  assert.equal(watch.open, false);
  assert.ok(device.watch);
  assert.equal(lats().length, before + 1);
});

test('locations of an ended watch are ignored', async () => {
  const { sender, device, lats } = overRest();
  sender.start();
  const { watch } = device;
  sender.stop();
  sender.start();
  watch.success(device.at(28.61));
  await settle();
  assert.deepEqual(lats(), []);
});

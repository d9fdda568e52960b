import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LocationSender } from '../src/sender/index.js';
import { accepted, overConnection, overRest, refused, response } from './support/senders.js';
import { accept as acceptStream, BOOKING, bookingSnapshot, statusEvent } from './support/streams.js';
import { settle } from './support/world.js';

const BROKEN = new TypeError('fetch failed');

test('over REST: the newest location with what the device knows, at the server\'s pace', async () => {
  const { world, sender, device, posts, told } = overRest();
  world.answer = () => response(200, accepted(world, { next_in_ms: 8000 }));
  sender.start();
  device.move(28.6139, { accuracy: 12.34, heading: 270, speed: 8.25 });
  await settle();
  const [request] = world.requests;
  assert.equal(request.url, `https://api.example.org/api/v1/tracking/${BOOKING}/`);
  assert.equal(request.headers.Authorization, 'Bearer token-1');
  assert.deepEqual(posts(), [{ lat: 28.6139, lng: 77.2, accuracy: 12.3, heading: 270, speed: 8.3, timestamp: world.timestamp() }]);
  device.move(28.614);
  await world.advance(1000);
  device.move(28.615);
  await world.advance(6999);
  assert.equal(posts().length, 1);
  await world.advance(1);
  assert.deepEqual(posts().map(({ lat }) => lat), [28.6139, 28.615]);
  assert.deepEqual(told.of('accepted')[0], { location: { lat: 28.6139, lng: 77.2, accuracy: 12.3, heading: 270, speed: 8.3 }, timestamp: '2026-01-03T11:00:00.000Z', nextInMs: 8000, via: 'rest' });
  assert.deepEqual(told.states(), ['locating', 'sharing']);
});

test('over the booking\'s connection while it is live, over REST otherwise', async () => {
  const { world, sender, device, sent, accept, lats, told, webSocket } = await overConnection();
  device.move(28.61);
  assert.deepEqual(sent().map(({ type, lat, id }) => [type, lat, id]), [['location', 28.61, '1']]);
  accept();
  assert.deepEqual(world.requests, []);
  webSocket.end(1006);
  device.move(28.62);
  await world.advance(2000);
  assert.deepEqual(lats(), [28.62]);
  await acceptStream(world, bookingSnapshot(world));
  device.move(28.63);
  await world.advance(2000);
  assert.equal(world.webSocket.sentOf('location')[0].lat, 28.63);
  assert.deepEqual(told.of('accepted').map(({ via }) => via), ['connection', 'rest']);
  sender.stream = undefined;
  await settle();
  assert.deepEqual(lats(), [28.62, 28.63]);
});

test('a connection lost before the answer: the location is sent again over REST', async () => {
  const { device, lats, webSocket, told } = await overConnection();
  device.move(28.61);
  webSocket.end(1006);
  await settle();
  assert.deepEqual(lats(), [28.61]);
  assert.deepEqual(told.states(), ['locating', 'sharing']);
});

test('a request without an answer is ended when the location is sent again, and when the sender stops', async () => {
  const { world, sender, device, lats } = overRest();
  world.answer = () => new Promise(() => {});
  sender.start();
  device.move(28.61);
  await world.advance(9_999);
  assert.deepEqual(world.signals.map(({ aborted }) => aborted), [false]);
  await world.advance(1_001);
  assert.deepEqual(lats(), [28.61, 28.61]);
  assert.deepEqual(world.signals.map(({ aborted }) => aborted), [true, false]);
  sender.stop();
  assert.deepEqual(world.signals.map(({ aborted }) => aborted), [true, true]);
});

test('a connection without an answer: sent again after ten seconds, and a late answer counts for nothing', async () => {
  const { world, device, sent, accept, told } = await overConnection();
  world.chance = 0.25;
  device.move(28.61);
  const [{ id }] = sent();
  await world.advance(9999);
  assert.equal(sent().length, 1);
  await world.advance(1 + 250);
  assert.deepEqual(sent().map(({ lat }) => lat), [28.61, 28.61]);
  world.webSocket.frame({ type: 'location_accepted', booking_id: BOOKING, timestamp: world.timestamp(), next_in_ms: 2000, id });
  assert.deepEqual(told.of('accepted'), []);
  accept();
  assert.equal(told.of('accepted').length, 1);
});

test('a server that knows no locations over connections gets them over REST', async () => {
  const { world, device, sent, lats } = await overConnection();
  device.move(28.61);
  world.webSocket.frame({ type: 'error', code: 'unknown_type', message: 'Unknown message type' });
  await settle();
  device.move(28.62);
  await world.advance(2000);
  assert.equal(sent().length, 1);
  assert.deepEqual(lats(), [28.61, 28.62]);
});

test('offline, only the newest location is kept, and sent when the network returns', async () => {
  const { world, sender, device, lats, told } = overRest();
  world.chance = 0.999;
  let offline = true;
  world.answer = () => {
    if (offline) throw BROKEN;
    return response(200, accepted(world));
  };
  sender.start();
  for (let minute = 0; minute < 3; minute++) {
    device.move(28.6 + minute / 100);
    await world.advance(60_000);
  }
  assert.equal(sender.state.name, 'waiting');
  assert.ok(sender.state.retryAt > world.wallTime);
  device.move(28.7);
  await settle();
  const before = lats().length;
  offline = false;
  world.goOnline();
  await settle();
  assert.deepEqual(lats().slice(before), [28.7]);
  assert.equal(sender.state.name, 'sharing');
  await world.advance(60_000);
  assert.equal(lats().length, before + 1);
  assert.equal(told.of('accepted').length, 1);
});

/** A sender whose first request has failed, as all that follow will. */
async function withoutServer() {
  const sending = overRest();
  sending.world.chance = 0.999;
  sending.world.answer = () => {
    throw BROKEN;
  };
  sending.sender.start();
  sending.device.move(28.6);
  await settle();
  return sending;
}

test('failures back off with full jitter, from a second to thirty', async () => {
  const { world, sender, lats } = await withoutServer();
  const waits = [];
  for (let count = 0; count < 7; count++) {
    const wait = sender.state.retryAt - world.wallTime;
    waits.push(Math.round(wait / 1000));
    await world.advance(wait);
    assert.equal(lats().length, count + 2);
  }
  assert.deepEqual(waits, [1, 2, 4, 8, 16, 30, 30]);
});

test('online: an attempt that fails because it comes too early is repeated soon, whatever failed before', async () => {
  const { world, sender, lats } = await withoutServer();
  for (let count = 0; count < 4; count++) await world.advance(sender.state.retryAt - world.wallTime);
  assert.ok(sender.state.retryAt - world.wallTime > 8000);
  const before = lats().length;
  world.goOnline();
  await settle();
  assert.equal(lats().length, before + 1);
  assert.ok(sender.state.retryAt - world.wallTime <= 1000);
});

test('a connection that is live again ends the backoff', async () => {
  const { world, device, webSocket } = await overConnection();
  const draws = [0.1, 0.999]; // the stream's delay, then the sender's
  world.random = () => draws.shift();
  world.answer = () => {
    throw BROKEN;
  };
  webSocket.end(1006);
  device.move(28.61);
  await world.advance(100);
  await acceptStream(world, bookingSnapshot(world));
  assert.equal(world.webSocket.sentOf('location').length, 1);
});

test('a `pace` frame brings the next location forward', async () => {
  const { world, device, sent, accept } = await overConnection();
  device.move(28.61);
  accept(15_000);
  await world.advance(5000);
  device.move(28.62);
  assert.equal(sent().length, 1);
  world.webSocket.frame({ type: 'pace', booking_id: BOOKING, next_in_ms: 2000 });
  assert.deepEqual(sent().map(({ lat }) => lat), [28.61, 28.62]);
});

test('a `pace` frame right after a location waits for the least interval', async () => {
  const { world, device, sent, accept } = await overConnection();
  device.move(28.61);
  accept(15_000);
  device.move(28.62);
  world.webSocket.frame({ type: 'pace', booking_id: BOOKING, next_in_ms: 2000 });
  await world.advance(1999);
  assert.equal(sent().length, 1);
  await world.advance(1);
  assert.equal(sent().length, 2);
});

test('`too_soon`: again after `retry_in_ms`, with a newer location if there is one', async () => {
  const { world, device, sent, reject, told } = await overConnection();
  device.move(28.61);
  device.move(28.62);
  reject('too_soon', { retry_in_ms: 1500 });
  await world.advance(1499);
  assert.equal(sent().length, 1);
  await world.advance(1);
  assert.deepEqual(sent().map(({ lat }) => lat), [28.61, 28.62]);
  assert.deepEqual(told.of('error'), []);
});

test('429: after `Retry-After`, and no returning network shortens that', async () => {
  const { world, sender, device, lats } = overRest();
  world.answer = () => refused(429, 'too_soon', { 'Retry-After': '7' });
  sender.start();
  device.move(28.61);
  await settle();
  world.answer = () => response(200, accepted(world));
  world.goOnline();
  device.move(28.61);
  await world.advance(6999);
  assert.deepEqual(lats(), [28.61]);
  await world.advance(1);
  assert.deepEqual(lats(), [28.61, 28.61]);
});

test('`unavailable`: not before `retry_in_ms`; the state says that it waits', async () => {
  const { world, device, sent, accept, reject, told } = await overConnection();
  device.move(28.61);
  reject('unavailable', { retry_in_ms: 3000 });
  assert.equal(told.of('state').at(-1).name, 'waiting');
  await world.advance(2999);
  assert.equal(sent().length, 1);
  await world.advance(1);
  accept();
  assert.deepEqual(told.states(), ['locating', 'waiting', 'sharing']);
});

test('503 and answers without a code are failures that pass', async () => {
  for (const answer of [refused(503, 'unavailable', { 'Retry-After': '2' }), response(404, '<html>'), response(502, '<html>')]) {
    const { world, sender, device, lats } = overRest();
    world.answer = () => answer;
    sender.start();
    device.move(28.61);
    await settle();
    assert.equal(sender.state.name, 'waiting');
    world.answer = () => response(200, accepted(world));
    await world.advance(2000);
    assert.deepEqual(lats(), [28.61, 28.61]);
    assert.equal(sender.state.name, 'sharing');
  }
});

test('`stale_position` is dropped without a word, a wrong one with an error', async () => {
  const { world, device, sent, reject, told, sender } = await overConnection();
  device.move(28.61);
  reject('stale_position');
  await world.advance(20_000);
  assert.equal(sent().length, 1);
  assert.deepEqual(told.of('error'), []);
  device.move(28.62);
  reject('invalid_message');
  assert.deepEqual(told.of('error'), [{ code: 'invalid_message', message: 'It is invalid_message.' }]);
  assert.equal(sender.state.name, 'locating');
});

test('400 names the field', async () => {
  const { world, sender, device, told } = overRest();
  world.answer = () => response(400, { detail: 'Wrong.', code: 'invalid', fields: { timestamp: ['In the future.'] } });
  sender.start();
  device.move(28.61);
  await settle();
  assert.deepEqual(told.of('error'), [{ code: 'invalid_message', message: 'timestamp: In the future.' }]);
});

for (const reason of ['not_tracked', 'not_allowed']) {
  test(`${reason} over the connection ends the sharing for good`, async () => {
    const { world, sender, device, sent, reject, told } = await overConnection();
    device.move(28.61);
    device.move(28.62);
    const { watch } = device;
    reject(reason);
    assert.deepEqual(sender.state, { name: 'closed', reason, message: `It is ${reason}.` });
    assert.equal(watch.open, false);
    assert.equal(world.locks[0].held, false);
    watch.success(device.at(28.63));
    sender.push({ lat: 28.64, lng: 77.2 });
    await world.advance(20_000);
    assert.equal(sent().length, 1);
    assert.deepEqual(told.states(), ['locating', reason]);
  });
}

test('the same over REST', async () => {
  for (const [status, code, reason] of [[409, 'not_tracked', 'not_tracked'], [403, 'permission_denied', 'not_allowed'], [404, 'not_found', 'not_allowed']]) {
    const { world, sender, device, lats } = overRest();
    world.answer = () => refused(status, code);
    sender.start();
    device.move(28.61);
    await world.advance(60_000);
    assert.equal(sender.state.reason, reason);
    assert.deepEqual(lats(), [28.61]);
    assert.equal(world.timerCount, 0);
  }
});

test('it ends when the stream says that the booking is over or no longer shared', async () => {
  const over = await overConnection();
  over.world.webSocket.frame(statusEvent(4, 'completed'));
  assert.equal(over.sender.state.reason, 'not_tracked');
  const lost = await overConnection();
  lost.world.webSocket.end(4003);
  assert.equal(lost.sender.state.reason, 'not_allowed');
});

test('a stream that is stopped ends nothing', async () => {
  const { sender, stream, device, lats } = await overConnection();
  stream.stop();
  device.move(28.61);
  await settle();
  assert.deepEqual(lats(), [28.61]);
  assert.equal(sender.state.name, 'sharing');
});

test('a rejected token is renewed once; nobody signed in ends the sharing', async () => {
  const { world, sender, device, asked, told } = overRest();
  const answers = [refused(401, 'token_not_valid'), response(200, accepted(world)), refused(401, 'x'), refused(401, 'x')];
  world.answer = () => answers.shift();
  sender.start();
  device.move(28.61);
  await settle();
  assert.deepEqual(asked, [false, true]);
  assert.equal(sender.state.name, 'sharing');
  device.move(28.62);
  await world.advance(2000);
  assert.deepEqual(asked, [false, true, false, true]);
  assert.equal(sender.state.name, 'waiting');
  assert.deepEqual(told.of('error'), []);
  const nobody = overRest({ token: () => null });
  nobody.sender.start();
  nobody.device.move(28.61);
  await settle();
  assert.equal(nobody.sender.state.reason, 'unauthenticated');
  const fixed = overRest({ token: 'old' });
  fixed.world.answer = () => refused(401, 'token_not_valid');
  fixed.sender.start();
  fixed.device.move(28.61);
  await settle();
  assert.equal(fixed.sender.state.reason, 'unauthenticated');
});

test('a token callback that fails is asked again', async () => {
  let calls = 0;
  const token = async () => {
    if (++calls === 1) throw new Error('no answer');
    return 'token';
  };
  const { world, sender, device, lats, told } = overRest({ token });
  sender.start();
  device.move(28.61);
  await world.advance(1000);
  assert.deepEqual(lats(), [28.61]);
  assert.deepEqual(told.of('error'), [{ code: 'network', message: 'no answer' }]);
});

test('what is missing is named', () => {
  const url = 'https://api.example.org';
  assert.throws(() => new LocationSender({ url, token: 't' }), /bookingId is missing/);
  assert.throws(() => new LocationSender({ url, bookingId: 'b' }), /token is missing/);
  assert.throws(() => new LocationSender({ bookingId: 'b', token: 't' }), /url is missing/);
  assert.throws(() => new LocationSender({ url, bookingId: 'b', token: 't' }).start(), /geolocation is missing/);
});

test('stopped and started again', async () => {
  const { world, sender, device, lats, told } = overRest();
  sender.start();
  device.move(28.61);
  await settle();
  sender.stop();
  sender.start();
  device.move(28.62);
  await settle();
  assert.deepEqual(lats(), [28.61, 28.62]);
  assert.deepEqual(told.states(), ['locating', 'sharing', 'stopped', 'locating', 'sharing']);
  sender.stop();
  assert.equal(world.timerCount, 0);
  assert.equal(world.document.counts.visibilitychange, 0);
  assert.equal(world.window.counts.online, 0);
});

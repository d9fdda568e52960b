/**
 * The client against a running server, through the faulty proxy. It runs where the environment says where that is:
 *
 *   HUNARMITRA_BASE_URL      http://127.0.0.1:8000 (not https: the proxy passes bytes, and certificates name hosts)
 *   HUNARMITRA_EMPLOYER, HUNARMITRA_WORKER, HUNARMITRA_STAFF      username:password of one user of each role
 *   HUNARMITRA_FAULT_RUNS    bookings to drive through their life, 5 if left out
 *   HUNARMITRA_FAULT_SEED    of the first run, 1 if left out
 */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { BookingStream, NotificationStream } from '../src/index.js';
import { startFaultyProxy } from './support/faulty-proxy.js';
import { seeded } from './support/random.js';
import { recordStatuses } from './support/record.js';
import { Session } from './support/session.js';

const { env } = process;
const NEEDED = ['HUNARMITRA_BASE_URL', 'HUNARMITRA_EMPLOYER', 'HUNARMITRA_WORKER', 'HUNARMITRA_STAFF'];
const missing = NEEDED.filter((name) => !env[name]);
const skip = missing.length > 0 && `no server to test against: set ${missing.join(', ')}`;
const runs = Number(env.HUNARMITRA_FAULT_RUNS ?? 5);
const firstSeed = Number(env.HUNARMITRA_FAULT_SEED ?? 1);

async function people() {
  const [employer, worker, staff] = await Promise.all(NEEDED.slice(1).map((name) => Session.signIn(env.HUNARMITRA_BASE_URL, env[name])));
  return { employer, worker, staff, workerId: (await worker.get('users/me/')).id };
}

function proxyTo(seed) {
  const { hostname, port } = new URL(env.HUNARMITRA_BASE_URL);
  return startFaultyProxy({ host: hostname, port: Number(port || 80), seed, afterBytes: [0, 2500] });
}

const throughProxy = (proxy, session, seed, since = 0) => ({
  url: `http://127.0.0.1:${proxy.port}`,
  token: session.token,
  ticket: seed % 2 === 0,
  since,
  WebSocket,
  backoff: { minMs: 5, maxMs: 50 },
});

/** From its creation to its end; `step` is called after each change with the number of the newest event. */
async function driveBooking(bookingId, { worker, staff, workerId }, step) {
  const change = async (session, status) => step((await session.patch(`bookings/${bookingId}/status/`, { status })).seq);
  await step((await staff.post(`bookings/${bookingId}/assign/`, { worker_id: workerId })).seq);
  await change(worker, 'on_the_way');
  await worker.post(`tracking/${bookingId}/`, { lat: 28.6139, lng: 77.209 });
  await change(worker, 'arrived');
  await change(worker, 'completed');
}

test(`${runs} bookings through the faulty proxy: exactly the server's log`, { skip }, async () => {
  const everyone = await people();
  const { employer } = everyone;
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const random = seeded(seed);
    const proxy = await proxyTo(seed);
    const { id } = await employer.post('bookings/', { service: 'Plumbing', address: `Fault run ${seed}` });
    const stream = new BookingStream({ bookingId: id, ...throughProxy(proxy, employer, seed) });
    const { events, reached } = recordStatuses(stream);
    stream.start();
    try {
      await driveBooking(id, everyone, async (seq) => {
        if (random.chance(0.5)) await reached(random.whole(1, seq));
      });
      proxy.calm();
      const log = await employer.get(`bookings/${id}/events/`);
      await reached(log.seq);
      assert.deepEqual(events, log.results, `seed ${seed}`);
      assert.equal(stream.status, 'completed', `seed ${seed}`);
      assert.equal(stream.location, null, `seed ${seed}`);
    } finally {
      stream.stop();
      await proxy.close();
    }
  }
});

test('notifications through the faulty proxy: exactly the user\'s list, and marked as read', { skip, timeout: 600_000 }, async () => {
  const everyone = await people();
  const { employer } = everyone;
  const proxy = await proxyTo(firstSeed);
  after(() => proxy.close());
  // From here on: a user of long standing may have more than a server replays.
  const since = (await employer.get('notifications/')).results[0]?.seq ?? 0;
  const stream = new NotificationStream(throughProxy(proxy, employer, firstSeed, since));
  after(() => stream.stop());
  const heard = [];
  let arrived = () => {};
  stream.on('notification', (notification) => {
    heard.push(notification);
    arrived();
  });
  stream.start();
  const { id } = await employer.post('bookings/', { service: 'Plumbing', address: 'Notifications' });
  await driveBooking(id, everyone, async () => {});
  proxy.calm();
  const listed = [];
  for (let page = 'notifications/'; page; ) {
    const { results, next } = await employer.get(page);
    const missed = results.filter(({ seq }) => seq > since);
    listed.push(...missed);
    page = next && missed.length === results.length && `notifications/${new URL(next).search}`;
  }
  listed.sort((a, b) => a.seq - b.seq);
  assert.ok(listed.length > 0);
  while (heard.length < listed.length) await new Promise((resolve) => (arrived = resolve));
  assert.deepEqual(heard.map(({ seq, id }) => [seq, id]), listed.map(({ seq, id }) => [seq, id]));
  const last = heard.at(-1);
  assert.equal((await stream.markRead(last.id)).id, last.id);
  await assert.rejects(stream.markRead('00000000-0000-4000-8000-000000000000'), { code: 'not_found' });
});

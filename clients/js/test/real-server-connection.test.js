/** `RealtimeConnection` against a running server, through the faulty proxy; the environment is that of real-server.test.js. */
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import WebSocket from 'ws';
import { RealtimeConnection } from '../src/connection/index.js';
import { startFaultyProxy } from './support/faulty-proxy.js';
import { recordStatuses } from './support/record.js';
import { Session } from './support/session.js';

const { env } = process;
const NEEDED = ['HUNARMITRA_BASE_URL', 'HUNARMITRA_EMPLOYER', 'HUNARMITRA_WORKER', 'HUNARMITRA_STAFF'];
const missing = NEEDED.filter((name) => !env[name]);
const skip = missing.length > 0 && `no server to test against: set ${missing.join(', ')}`;
const runs = Number(env.HUNARMITRA_FAULT_RUNS ?? 5);
const firstSeed = Number(env.HUNARMITRA_FAULT_SEED ?? 1);
const UNKNOWN = '00000000-0000-4000-8000-000000000000';

const people = () => Promise.all(NEEDED.slice(1).map((name) => Session.signIn(env.HUNARMITRA_BASE_URL, env[name])));
const when = (stream, wanted) => new Promise((resolve) => stream.on('state', ({ name, reason }) => (reason ?? name) === wanted && resolve()));

test(`${runs} times three bookings on one connection through the faulty proxy: exactly the server's log`, { skip }, async () => {
  const [employer, worker, staff] = await people();
  const worker_id = (await worker.get('users/me/')).id;
  const { hostname, port } = new URL(env.HUNARMITRA_BASE_URL);
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const proxy = await startFaultyProxy({ host: hostname, port: Number(port || 80), seed, afterBytes: [0, 4000] });
    const connection = new RealtimeConnection({ url: `http://127.0.0.1:${proxy.port}`, token: employer.token, ticket: seed % 2 === 0, WebSocket, backoff: { minMs: 5, maxMs: 50 } });
    try {
      const ids = [];
      for (const number of [1, 2, 3]) ids.push((await employer.post('bookings/', { service: 'Plumbing', address: `Run ${seed}, ${number}` })).id);
      const streams = ids.map((id) => connection.booking(id, { since: 0 }));
      const records = streams.map(recordStatuses);
      const unknown = connection.booking(UNKNOWN);
      for (const stream of [...streams, unknown]) stream.start();
      for (const id of ids) await staff.post(`bookings/${id}/assign/`, { worker_id });
      for (const status of ['on_the_way', 'arrived', 'completed']) {
        for (const id of ids) await worker.patch(`bookings/${id}/status/`, { status });
      }
      proxy.calm();
      for (const [index, id] of ids.entries()) {
        const log = await employer.get(`bookings/${id}/events/`);
        await records[index].reached(log.seq);
        assert.deepEqual(records[index].events, log.results, `seed ${seed}`);
        assert.equal(streams[index].status, 'completed');
      }
      await when(unknown, 'forbidden');
    } finally {
      connection.stop();
      await proxy.close();
    }
  }
});

test('live, notifications and a list on one connection of staff; the customer gets no live', { skip, timeout: 600_000 }, async () => {
  const [employer, worker, staff] = await people();
  const options = { url: env.HUNARMITRA_BASE_URL, WebSocket };
  const connection = new RealtimeConnection({ ...options, token: staff.token });
  const others = new RealtimeConnection({ ...options, token: employer.token });
  after(() => [connection, others].forEach((each) => each.stop()));
  const refused = others.live().start();
  await when(refused, 'forbidden');
  assert.equal(others.state.name, 'live');

  const live = connection.live({ bbox: [77, 28, 78, 29], maxRate: 10 });
  const told = [];
  for (const type of ['page', 'status', 'location']) live.on(type, (event) => told.push({ ...event, type }));
  live.start();
  const bell = connection.notifications().start();
  await Promise.all([when(live, 'live'), when(bell, 'live')]);
  const { id } = await employer.post('bookings/', { service: 'Plumbing', address: 'Live' });
  await staff.post(`bookings/${id}/assign/`, { worker_id: (await worker.get('users/me/')).id });
  await worker.patch(`bookings/${id}/status/`, { status: 'on_the_way' });
  const located = new Promise((resolve) => live.on('location', (event) => event.booking_id === id && resolve(event)));
  await worker.post(`tracking/${id}/`, { lat: 28.6139, lng: 77.209 });
  assert.equal((await located).lat, 28.6139);
  assert.ok(told.some(({ type, booking_id, status }) => type === 'status' && booking_id === id && status === 'on_the_way'));
  assert.equal(told[0].type, 'page');
  await assert.rejects(bell.markRead(UNKNOWN), { code: 'not_found' });
});

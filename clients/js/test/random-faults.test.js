/** 200 random runs against the model of the server's rules: whatever happens in between, the client ends with its log. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ModelServer } from './support/model-server.js';
import { seeded } from './support/random.js';
import { booking } from './support/streams.js';

const SEEDS = 200;
const STEPS = 120;
const CODES = [1000, 1001, 1006, 1011, 4001, 4008, 4013, 4029];

/** Serve every connection of the stream, with faults drawn from `random` while `calm` is false. */
class FaultyHost {
  calm = false;
  faults = {};

  constructor(world, server, random) {
    Object.assign(this, { world, server, random });
    world.onWebSocket = (webSocket) => world.setTimeout(() => this.#accept(webSocket), random.whole(0, 300));
  }

  happens(fault, probability) {
    if (this.calm || !this.random.chance(probability)) return false;
    this.faults[fault] = (this.faults[fault] ?? 0) + 1;
    return true;
  }

  #accept(webSocket) {
    if (webSocket.readyState !== 0) return;
    if (this.happens('refused', 0.1)) return webSocket.end(1006);
    if (this.happens('unanswered', 0.03)) return;
    const connection = { webSocket, arrives: 0, silent: false, send: (frame) => this.#live(connection, frame) };
    webSocket.open();
    webSocket.send = (text) => {
      if (!connection.silent) this.#deliver(connection, this.server.answer(JSON.parse(text)));
    };
    if (this.happens('drained at the door', 0.05)) return this.end(connection, 4012);
    // Registered first, and what happens until the log is read comes with the replay: seen twice, unless the client looks.
    this.server.connections.add(connection);
    for (const frame of this.server.join(webSocket.query.get('since'))) {
      this.#deliver(connection, frame);
      if (this.happens('repeated in the replay', 0.05)) this.#deliver(connection, frame.type === 'booking_status' ? frame : { type: 'noise' });
      if (this.happens('cut in the replay', 0.05)) return this.end(connection, 1006);
    }
  }

  #live(connection, frame) {
    if (frame.type === 'booking_status' && this.happens('skipped', 0.04)) return;
    this.#deliver(connection, frame);
    if (this.happens('repeated', 0.05)) this.#deliver(connection, frame);
    if (this.happens('an old one repeated', 0.05)) this.#deliver(connection, this.random.pick(this.server.log));
  }

  /** In order, each after a delay of its own. */
  #deliver(connection, frame) {
    if (connection.silent) return;
    const { world, random } = this;
    connection.arrives = Math.max(connection.arrives, world.elapsed + random.whole(0, 400));
    world.setTimeout(() => connection.webSocket.frame(frame), connection.arrives - world.elapsed);
  }

  end(connection, code) {
    const { world, server, random } = this;
    if (code === 4012) this.#deliver(connection, { type: 'reconnect', after_ms: random.whole(0, 3000) });
    server.connections.delete(connection);
    connection.arrives = Math.max(connection.arrives, world.elapsed);
    world.setTimeout(() => connection.webSocket.end(code), connection.arrives - world.elapsed);
  }

  step() {
    const { random, server, world } = this;
    const connection = random.pick([...server.connections]);
    if (connection && this.happens('closed', 0.08)) this.end(connection, random.pick(CODES));
    else if (connection && this.happens('drained', 0.03)) this.end(connection, 4012);
    else if (connection && this.happens('silent', 0.02)) connection.silent = true;
    else if (this.happens('network change', 0.02)) random.chance(0.5) ? world.goOffline() : world.goOnline();
    else if (this.happens('paused', 0.02)) (random.chance(0.5) ? world.hide() : world.show());
  }
}

async function run(seed) {
  const random = seeded(seed);
  const since = random.chance(0.5) ? 0 : undefined;
  const { world, stream, told } = booking({ since, pauseWhenHidden: true });
  world.random = random.next;
  const server = new ModelServer(() => world.wallTime);
  for (let events = random.whole(0, 20); events > 0; events--) server.publish();
  const host = new FaultyHost(world, server, random);
  stream.start();
  for (let step = 0; step < STEPS; step++) {
    if (random.chance(0.6)) server.publish();
    if (random.chance(0.4)) server.move();
    host.step();
    await world.advance(random.pick([0, 10, 200, 1000, 5000]));
  }
  host.calm = true;
  for (const connection of server.connections) if (connection.silent) connection.webSocket.end(1006);
  world.show();
  world.goOnline();
  await world.advance(120_000);
  server.publish(); // what was skipped last is found by the next one
  server.move();
  await world.advance(120_000);
  return { stream, told, server, host, since };
}

test(`${SEEDS} random runs of drops, repeats, gaps and delays: exactly the server's log`, async () => {
  const faults = {};
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { stream, told, server, host, since } = await run(seed);
    const first = since ?? told.of('snapshot')[0].seq;
    assert.equal(stream.state.name, 'live', `seed ${seed}`);
    assert.deepEqual(told.of('status'), server.log.slice(first), `seed ${seed}`);
    assert.equal(stream.status, server.log.at(-1).status, `seed ${seed}`);
    assert.deepEqual(stream.location, server.location, `seed ${seed}`);
    const times = told.of('location').filter(Boolean).map(({ timestamp }) => timestamp);
    assert.deepEqual(times, [...times].sort(), `seed ${seed}: locations in order`);
    assert.equal(told.of('resync').length, 0, `seed ${seed}`);
    for (const [fault, count] of Object.entries(host.faults)) faults[fault] = (faults[fault] ?? 0) + count;
    stream.stop();
  }
  // Each kind of fault did happen, often enough to mean something.
  assert.equal(Object.keys(faults).length, 13);
  for (const [fault, count] of Object.entries(faults)) assert.ok(count >= 50, `${fault}: ${count}`);
});

test('a log pruned while the client was offline: resync, then exactly the later events', async () => {
  const { world, stream, told } = booking({ since: 2 });
  const server = new ModelServer(() => world.wallTime);
  for (let events = 0; events < 9; events++) server.publish();
  server.pruned = 5;
  const host = new FaultyHost(world, server, seeded(1));
  host.calm = true;
  stream.start();
  await world.advance(2000);
  server.publish();
  await world.advance(2000);
  assert.deepEqual(told.of('resync'), [{ type: 'resync_required', seq: 10 }]);
  assert.deepEqual(told.of('status').map(({ seq }) => seq), [11]);
});

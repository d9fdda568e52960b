/**
 * A TCP proxy with the faults of networks. It knows no protocol: bytes come late and in pieces, stop coming, or the
 * connection ends, wholly or half. The seed alone decides the fault of the n-th connection, so that a failed run can be
 * repeated.
 *
 *   const proxy = await startFaultyProxy({ host, port, seed: 7 });
 *   … connect to proxy.port …
 *   proxy.calm();         // no more faults; connections that have one planned are cut
 *   await proxy.close();
 */
import net from 'node:net';
import { seeded } from './random.js';

/** The probability of each fault; the other connections are only late and in pieces. */
const DEFAULT_FAULTS = {
  /** Cut before the first byte. */
  refuse: 0.1,
  /** Cut both ways. */
  drop: 0.35,
  /** End the server's side towards the client; the client can still send. */
  halfCloseClient: 0.12,
  /** End the client's side towards the server; the server can still send. */
  halfCloseServer: 0.08,
  /** Pass no more bytes, and cut `stallMs` later. */
  stall: 0.1,
};

/** Both sides of one connection, with its planned fault. */
class Connection {
  #timers = new Set();
  #toClient = true;
  #toServer = true;
  #untilStrike;

  constructor({ client, server, random, fault, strikesAfter, delayMs, stallMs, onCut }) {
    Object.assign(this, { client, server, random, fault, delayMs, stallMs, onCut });
    this.#untilStrike = fault ? strikesAfter : Infinity;
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on('error', () => this.cut());
      socket.on('close', () => client.destroyed && server.destroyed && this.cut());
    }
    if (fault === 'refuse') return void this.cut();
    this.#relay(client, (bytes) => this.#toServer && server.writable && server.write(bytes), () => server.end());
    this.#relay(server, (bytes) => this.#deliver(bytes), () => client.end());
  }

  cut() {
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    this.#toClient = this.#toServer = false;
    this.client.destroy();
    this.server.destroy();
    this.onCut(this);
  }

  /** Relay in order, each piece after its own delay, the end last. */
  #relay(from, deliver, ended) {
    const queue = [];
    let busy = false;
    const next = () => {
      if (busy || !queue.length) return;
      busy = true;
      this.#later(this.random.whole(...this.delayMs), () => {
        busy = false;
        queue.shift()();
        next();
      });
    };
    from.on('data', (bytes) => {
      const middle = this.random.whole(0, bytes.length);
      for (const part of [bytes.subarray(0, middle), bytes.subarray(middle)]) if (part.length) queue.push(() => deliver(part));
      next();
    });
    from.on('end', () => {
      queue.push(ended);
      next();
    });
  }

  #deliver(bytes) {
    const before = bytes.subarray(0, this.#untilStrike);
    this.#write(before);
    this.#untilStrike -= before.length;
    if (this.#untilStrike > 0) return;
    this.#untilStrike = Infinity;
    this.#strike();
    this.#write(bytes.subarray(before.length));
  }

  #write(bytes) {
    if (this.#toClient && bytes.length && this.client.writable) this.client.write(bytes);
  }

  #strike() {
    if (this.fault === 'drop') return this.cut();
    if (this.fault !== 'halfCloseServer') this.#toClient = false;
    if (this.fault !== 'halfCloseClient') this.#toServer = false;
    if (this.fault === 'halfCloseClient') this.client.end();
    if (this.fault === 'halfCloseServer') this.server.end();
    this.#later(this.stallMs, () => this.cut());
  }

  #later(ms, run) {
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      run();
    }, ms);
    this.#timers.add(timer);
  }
}

/**
 * @param {{host?: string, port: number, seed?: number, faults?: Partial<typeof DEFAULT_FAULTS>, afterBytes?: [number, number],
 *   delayMs?: [number, number], stallMs?: number}} options `afterBytes`: from the server, before the fault strikes
 */
export async function startFaultyProxy({
  host = '127.0.0.1',
  port,
  seed = 1,
  faults = DEFAULT_FAULTS,
  afterBytes = [0, 3000],
  delayMs = [0, 20],
  stallMs = 200,
}) {
  let calm = false;
  let connections = 0;
  const counts = {};
  const open = new Set();
  const cutAll = (which = () => true) => [...open].filter(which).forEach((connection) => connection.cut());

  const listener = net.createServer({ allowHalfOpen: true }, (client) => {
    // Drawn before the first byte, so that it does not depend on timing.
    const random = seeded(seed * 1_000_003 + connections++);
    let draw = random.next();
    const planned = Object.entries(faults).find(([, probability]) => (draw -= probability) < 0)?.[0];
    const strikesAfter = random.whole(...afterBytes);
    const fault = calm ? undefined : planned;
    if (fault) counts[fault] = (counts[fault] ?? 0) + 1;
    const server = net.connect({ host, port, allowHalfOpen: true });
    const onCut = (connection) => open.delete(connection);
    open.add(new Connection({ client, server, random, fault, strikesAfter, delayMs, stallMs, onCut }));
  });
  await new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(0, '127.0.0.1', resolve);
  });

  return {
    port: listener.address().port,
    /** The number of connections for each fault. */
    counts,
    get connections() {
      return connections;
    },
    calm() {
      calm = true;
      cutAll(({ fault }) => fault);
    },
    /** Cut every open connection. */
    cutAll: () => cutAll(),
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      cutAll();
      await closed;
    },
  };
}

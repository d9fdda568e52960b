/**
 * A TCP proxy that does to connections what networks do. It reads no protocol: bytes come late and in pieces, stop
 * coming, or end, whole or half. The seed decides what happens to the n-th connection, whatever the timing, so that a
 * run that failed can be made again.
 *
 *   const proxy = await startFaultyProxy({ host, port, seed: 7 });
 *   … connect to proxy.port …
 *   proxy.calm();         // from now on everything passes; connections with a fault are cut
 *   await proxy.close();
 */
import net from 'node:net';
import { seeded } from './random.js';

/** What happens to a connection, and how probable it is; the rest is only late and in pieces. */
const DEFAULT_FAULTS = {
  /** Cut as soon as it is there. */
  refuse: 0.1,
  /** Cut both ways. */
  drop: 0.35,
  /** The server is done, says the proxy; the client may go on talking. */
  halfCloseClient: 0.12,
  /** The client is done, says the proxy; the server may go on talking. */
  halfCloseServer: 0.08,
  /** Nothing comes any more, and nobody says so, until it is cut `stallMs` later. */
  stall: 0.1,
};

/** Both sides of one connection, and the fault that is planned for it, if any. */
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

  /** In order, each piece after a delay of its own; the end comes after the last piece. */
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
    // Drawn before the first byte, so that timing changes nothing about it.
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
    /** How many connections each fault was planned for. */
    counts,
    get connections() {
      return connections;
    },
    calm() {
      calm = true;
      cutAll(({ fault }) => fault);
    },
    /** Cuts everything that is open, as a restarted router does. */
    cutAll: () => cutAll(),
    async close() {
      const closed = new Promise((resolve) => listener.close(resolve));
      cutAll();
      await closed;
    },
  };
}

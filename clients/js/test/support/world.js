/** A fake host: time, randomness, WebSockets, HTTP, visibility and network, all under the test's control. */

const WALL_START = Date.parse('2026-01-03T11:00:00Z');

/** Run all promises and microtasks that are due. */
export const settle = () => new Promise((resolve) => setImmediate(resolve));

export class FakeWebSocket {
  readyState = 0;
  sent = [];
  closedByClient = false;
  onmessage = null;
  onclose = null;
  onerror = null;

  constructor(url, protocols) {
    this.url = url;
    this.protocols = protocols;
    this.query = new URL(url).searchParams;
  }

  send(data) {
    if (this.readyState !== 1) throw new Error('InvalidStateError');
    this.sent.push(JSON.parse(data));
  }

  close() {
    this.readyState = 3;
    this.closedByClient = true;
  }

  /** The server accepts. */
  open() {
    this.readyState = 1;
  }

  frame(frame) {
    this.text(JSON.stringify(frame));
  }

  text(data) {
    this.onmessage?.({ data });
  }

  end(code = 1006, reason = '') {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose?.({ code, reason });
  }

  /** What Node 22 does when the connection is refused: an error event, no close event, and the state stays CONNECTING. */
  failWithoutClose() {
    this.onerror?.({ type: 'error' });
  }

  sentOf(type) {
    return this.sent.filter((message) => message.type === type);
  }
}

class FakeTarget extends EventTarget {
  counts = {};

  addEventListener(type, listener) {
    this.counts[type] = (this.counts[type] ?? 0) + 1;
    super.addEventListener(type, listener);
  }

  removeEventListener(type, listener) {
    this.counts[type] -= 1;
    super.removeEventListener(type, listener);
  }

  tell(type) {
    this.dispatchEvent(new Event(type));
  }
}

export class FakeWorld {
  elapsed = 0;
  /** The value of Math.random(), a factor of the full jitter. */
  chance = 0.5;
  random = () => this.chance;
  webSockets = [];
  requests = [];
  /** The abort signals of the requests. */
  signals = [];
  /** The delays of all timers ever set. */
  delays = new Set();
  answer = () => ({ ok: true, status: 201, json: async () => ({ ticket: `ticket-${this.requests.length}`, expires_in: 30 }) });
  document = Object.assign(new FakeTarget(), { visibilityState: 'visible' });
  window = new FakeTarget();
  navigator = { onLine: true };
  #timers = new Map();
  #lastTimer = 0;

  constructor() {
    const world = this;
    this.WebSocket = class extends FakeWebSocket {
      constructor(url, protocols) {
        super(url, protocols);
        world.webSockets.push(this);
        world.onWebSocket?.(this);
      }
    };
  }

  get environment() {
    return {
      WebSocket: this.WebSocket,
      fetch: async (url, { signal, ...request }) => {
        this.requests.push({ url, ...request });
        this.signals.push(signal);
        return this.answer();
      },
      setTimeout: (run, ms) => {
        this.delays.add(ms);
        this.#timers.set(++this.#lastTimer, { at: this.elapsed + ms, run });
        return this.#lastTimer;
      },
      clearTimeout: (timer) => this.#timers.delete(timer),
      date: () => WALL_START + this.elapsed,
      clock: () => this.elapsed,
      random: () => this.random(),
      document: this.document,
      navigator: this.navigator,
      window: this.window,
    };
  }

  get webSocket() {
    return this.webSockets.at(-1);
  }

  get timerCount() {
    return this.#timers.size;
  }

  get wallTime() {
    return WALL_START + this.elapsed;
  }

  /** The server's time (here equal to the client's) as RFC 3339. */
  timestamp(offsetMs = 0) {
    return new Date(this.wallTime + offsetMs).toISOString();
  }

  setTimeout(run, ms) {
    return this.environment.setTimeout(run, ms);
  }

  /** Advance the time, and run due timers in order. */
  async advance(ms) {
    const end = this.elapsed + ms;
    await settle();
    for (;;) {
      let next;
      for (const [id, timer] of this.#timers) if (timer.at <= end && (!next || timer.at < next.at)) next = { id, ...timer };
      if (!next) break;
      this.#timers.delete(next.id);
      this.elapsed = Math.max(this.elapsed, next.at);
      next.run();
      await settle();
    }
    this.elapsed = end;
  }

  hide() {
    this.document.visibilityState = 'hidden';
    this.document.tell('visibilitychange');
  }

  show() {
    this.document.visibilityState = 'visible';
    this.document.tell('visibilitychange');
  }

  goOffline() {
    this.navigator.onLine = false;
    this.window.tell('offline');
  }

  goOnline() {
    this.navigator.onLine = true;
    this.window.tell('online');
  }
}

/** The parts of the host. */
export function platform(given = {}) {
  const host = globalThis;
  return {
    WebSocket: host.WebSocket,
    // Wrapped: browsers throw when these run as methods of another object.
    fetch: (...request) => host.fetch(...request),
    setTimeout: (run, ms) => setTimeout(run, ms),
    clearTimeout: (timer) => clearTimeout(timer),
    date: () => Date.now(),
    clock: () => (host.performance ?? Date).now(),
    random: () => Math.random(),
    document: host.document,
    navigator: host.navigator,
    window: host.addEventListener ? host : undefined,
    ...given,
  };
}

/** Browsers fire a longer timer at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/** Timers by name: setting one again replaces it. */
export class Timers {
  #env;
  #running = new Map();

  constructor(env) {
    this.#env = env;
  }

  set(name, ms, run) {
    this.cancel(name);
    const timer = this.#env.setTimeout(() => {
      this.#running.delete(name);
      run();
    }, Math.min(ms, MAX_TIMER_MS));
    this.#running.set(name, timer);
  }

  has(name) {
    return this.#running.has(name);
  }

  cancel(name) {
    this.#env.clearTimeout(this.#running.get(name));
    this.#running.delete(name);
  }

  cancelAllBut(kept) {
    for (const name of [...this.#running.keys()]) if (name !== kept) this.cancel(name);
  }
}

/** Named listeners. An exception in a listener is reported as uncaught; the other listeners and the stream go on. */
export class Emitter {
  #listeners = new Map();

  on(type, listener) {
    const listeners = this.#listeners.get(type) ?? new Set();
    this.#listeners.set(type, listeners.add(listener));
    return () => this.off(type, listener);
  }

  once(type, listener) {
    // Not the stream's `on`, which tells the current state.
    const off = Emitter.prototype.on.call(this, type, (value) => {
      off();
      listener(value);
    });
    return off;
  }

  off(type, listener) {
    this.#listeners.get(type)?.delete(listener);
  }

  async *events(type) {
    const queue = [];
    let open = true;
    let wake = () => {};
    const offs = [
      this.on(type, (value) => wake(queue.push(value))),
      this.on('state', ({ name }) => wake((open &&= name !== 'closed'))),
    ];
    try {
      while (queue.length || open) {
        if (queue.length) yield queue.shift();
        else await new Promise((resolve) => (wake = resolve));
      }
    } finally {
      for (const off of offs) off();
    }
  }

  _emit(type, value) {
    for (const listener of [...(this.#listeners.get(type) ?? [])]) this._call(listener, value);
  }

  _call(listener, value) {
    try {
      listener(value);
    } catch (error) {
      queueMicrotask(() => {
        throw error;
      });
    }
  }
}

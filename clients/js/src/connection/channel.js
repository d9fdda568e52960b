/**
 * A subscription of a connection to `/ws/`, as a stream. Invariant: `#seq` is the seq of the last event given to the
 * application, as in a stream with a connection of its own.
 */
import { Emitter } from '../emitter.js';
import { Timers } from '../platform.js';

/** From a subscription to its first frame. */
const JOIN_MS = 20_000;
/** The backoff starts over after a subscription of this length. */
const LASTING_MS = 10_000;
const LEAST_BACKOFF_MS = 1000;
const MOST_BACKOFF_MS = 30_000;

/** The code of `unsubscribed` that answers the client's own request. */
export const AS_ASKED = 1000;
const OVERFLOWED = 4008;
const REFUSED = { 4003: 'forbidden', 4004: 'not_found' };

export class ChannelStream extends Emitter {
  #connection;
  #env;
  #timers;
  #eventType;
  #backoff;
  #state = { name: 'idle' };
  #seq;
  #snapshotSeq;
  #running = false;
  #paused = false;
  #joinedAt; // undefined until the first frame of the subscription
  #failures = 0;
  #hurried = false; // the last subscription did not wait

  constructor(_path, eventType, { connection, env, backoff, key, channel, booking_id, since }) {
    super();
    if (since !== undefined && !(Number.isSafeInteger(since) && since >= 0)) throw new TypeError(`since is not a seq (0, 1, 2, …): ${since}`);
    this.#connection = connection;
    this.#env = env;
    this.#backoff = { minMs: LEAST_BACKOFF_MS, maxMs: MOST_BACKOFF_MS, ...backoff };
    this.#timers = new Timers(env);
    this.#eventType = eventType;
    this.#seq = since;
    this._key = key;
    this._address = booking_id ? { booking_id } : { channel };
  }

  get state() {
    return this.#state;
  }

  get seq() {
    return this.#seq;
  }

  /** Whether the stream needs the connection. */
  get _wanted() {
    return this.#running && !this.#paused;
  }

  on(type, listener) {
    const off = super.on(type, listener);
    if (type === 'state' && this.#state.name !== 'idle') this._call(listener, this.#state);
    return off;
  }

  start() {
    if (this.#running) return this;
    this.#connection._claim(this);
    this.#running = true;
    this.#paused = this.#hurried = false;
    this.#failures = 0;
    this._connection(this.#connection.state);
    return this;
  }

  stop() {
    this.#finish('stopped');
  }

  pause() {
    if (!this._wanted) return;
    this.#paused = true;
    this.#leave();
    this.#become({ name: 'paused' });
    this.#connection._change(this);
  }

  resume() {
    if (!this.#running || !this.#paused) return;
    this.#paused = false;
    this.#connection._claim(this);
    this._connection(this.#connection.state);
  }

  _serverNow() {
    return this.#connection._serverNow();
  }

  /** Return whether the message was sent. */
  _send(message) {
    return this.#joinedAt !== undefined && this.#connection._send({ ...message, ...this._address });
  }

  /** Set a timer that ends with the subscription. */
  _after(name, ms, run) {
    this.#timers.set(name, ms, run);
  }

  /** Return the keys of `subscribe` for a single channel. */
  _request() {
    return { channel: 'booking', ...this._address, since: this.#seq };
  }

  /** Follow the state of the connection. */
  _connection(state) {
    if (!this._wanted) return;
    const stillOpen = state.name === 'offline' && state.retryAt === undefined;
    const joined = this.#joinedAt !== undefined;
    if (state.name === 'closed') this.#finish(state.reason, state);
    else if (state.name === 'live' && !joined) this._subscribe();
    else if (state.name === 'live' || (stillOpen && joined)) this.#become(state);
    else if (!stillOpen) {
      this.#leave();
      this.#become(state);
    }
  }

  _receive(frame) {
    if (!this._wanted) return;
    if (frame.type === 'unsubscribed') return this.#ended(frame);
    if (frame.type === 'connection_established') return this.#established(frame);
    // What the subscription before sent, until the new one begins.
    if (this.#joinedAt === undefined) return;
    if (frame.type === this.#eventType) return this.#next(frame);
    if (frame.type === 'resync_required') {
      this.#seq = this.#snapshotSeq = frame.seq;
      return this._emit('resync', frame);
    }
    this._frame(frame);
    if (frame.type === 'error') this._emit('error', frame);
  }

  _subscribe() {
    this.#leave();
    this.#timers.set('join', JOIN_MS, () => this.#lost());
    if (this.#state.name !== 'connecting') this.#become({ name: 'connecting', attempt: this.#failures + 1 });
    this.#connection._change(this);
  }

  /** Subscribe again with another request, once there is a connection. */
  _again() {
    this.#leave();
    this._connection(this.#connection.state);
  }

  _joined() {
    this.#timers.cancel('join');
    this.#joinedAt = this.#env.clock();
    this.#become({ name: 'live' });
  }

  get _isJoined() {
    return this.#joinedAt !== undefined;
  }

  #established(frame) {
    this.#snapshotSeq = frame.seq;
    this.#seq ??= frame.seq;
    this._joined();
    this._established(frame);
  }

  #next(frame) {
    const { seq } = frame;
    if (!(seq > this.#seq)) return;
    if (seq !== this.#seq + 1) return this.#lost(undefined, true);
    this.#seq = seq;
    this._event(frame, seq > this.#snapshotSeq);
    if (frame.ack) this._send({ type: 'ack', seq });
  }

  #ended({ code, message }) {
    if (code === AS_ASKED) return;
    if (REFUSED[code]) this.#finish(REFUSED[code], { code, message });
    else this.#lost(code, code === OVERFLOWED);
  }

  /** Subscribe again: at once, if that was not tried just before, or after a random delay. */
  #lost(code, atOnce) {
    if (this.#joinedAt !== undefined && this.#env.clock() - this.#joinedAt >= LASTING_MS) {
      this.#failures = 0;
      this.#hurried = false;
    }
    if (atOnce && !this.#hurried) {
      this.#hurried = true;
      return this._subscribe();
    }
    this.#leave();
    const { minMs, maxMs } = this.#backoff;
    const delay = this.#env.random() * Math.min(maxMs, minMs * 2 ** this.#failures++);
    this.#timers.set('again', delay, () => this._subscribe());
    this.#become({ name: 'reconnecting', retryAt: this.#env.date() + delay, attempt: this.#failures, code });
  }

  #leave() {
    this.#timers.cancelAllBut();
    this.#joinedAt = undefined;
  }

  #finish(reason, { code, message } = {}) {
    if (!this.#running) return;
    this.#running = false;
    this.#leave();
    this._ended?.(reason);
    this.#become({ name: 'closed', reason, ...(code && { code }), ...(message && { message }) });
    this.#connection._release(this);
  }

  #become(state) {
    if (state === this.#state) return;
    this.#state = state;
    this._emit('state', state);
  }
}

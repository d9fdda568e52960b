/**
 * The base of both streams. Invariant: `#seq` is the seq of the last event given to the application. Only the next event,
 * the first snapshot and `resync_required` change it. Subclasses override `_established`, `_event`, `_frame` and `_ended`.
 */
import { Credentials } from './credentials.js';
import { Emitter } from './emitter.js';
import { platform, Timers } from './platform.js';

/** Milliseconds that a pong may take. */
const PONG_MS = 10_000;
/** When the network returns. */
const ONLINE_MS = 3000;
/** From the token request to the first frame. */
const CONNECT_MS = 20_000;
/** The backoff starts over after a connection of this length. */
const STABLE_MS = 10_000;
/** A token is renewed this long before its expiry. */
const RENEW_MS = 60_000;

const UNAUTHENTICATED = 4001;
const TOO_SLOW = 4008;
const DRAINING = 4012;
const BUSY = [4013, 4029];
const TERMINAL = { 4003: 'forbidden', 4004: 'not_found' };

export class RealtimeStream extends Emitter {
  #env;
  #options;
  #credentials;
  #url;
  #eventType;
  #state = { name: 'idle' };
  #seq;
  #snapshotSeq;
  #timers;
  #webSocket;
  #attempt = 0; // callbacks of an older attempt are ignored
  #running = false;
  #paused; // 'app', 'hidden' or undefined
  #failures = 0;
  #hurried = false; // the last reconnect did not wait
  #rejected = false; // the server rejected the token
  #notBefore = -Infinity; // the server allows no earlier connection
  #afterMs; // from a `reconnect` frame
  #liveSince;
  #heartbeat;
  #serverAhead = 0;
  #lastError; // the message of the last frame, if that was an error
  #debug;

  constructor(path, eventType, options) {
    super();
    const { url = globalThis.location?.origin, since, WebSocket, fetch, environment, debug } = options;
    if (since !== undefined && !(Number.isSafeInteger(since) && since >= 0)) throw new TypeError(`since is not a seq (0, 1, 2, …): ${since}`);
    this.#env = platform({ ...environment, ...(WebSocket && { WebSocket }), ...(fetch && { fetch }) });
    this.#debug = debug === true ? (...entry) => console.debug(path, ...entry) : debug || (() => {});
    this.#timers = new Timers(this.#env);
    const base = url?.replace(/\/+$/, '') ?? '';
    this.#options = { ...options, backoff: { minMs: 1000, maxMs: 30_000, ...options.backoff } };
    this.#credentials = new Credentials(options, base.replace(/^ws/, 'http'), this.#env.fetch);
    this.#url = base && base.replace(/^http/, 'ws') + path;
    this.#eventType = eventType;
    this.#seq = since;
    if (this.#env.document) this.#checkHost();
  }

  /** Throw if the host lacks a part: at once in a browser, at the start on a server that renders pages. */
  #checkHost() {
    if (!this.#url) throw new TypeError('url is missing: outside of a browser, pass the address of the server');
    if (!this.#env.WebSocket) throw new TypeError('WebSocket is missing: Node before 22 has none; pass the one of the package ws');
  }

  get state() {
    return this.#state;
  }

  get seq() {
    return this.#seq;
  }

  on(type, listener) {
    const off = super.on(type, listener);
    if (type === 'state' && this.#state.name !== 'idle') this._call(listener, this.#state);
    return off;
  }

  start() {
    if (this.#running) return this;
    this.#checkHost();
    this.#running = true;
    this.#paused = undefined;
    this.#failures = 0;
    this.#hurried = this.#rejected = false;
    this.#observeHost('addEventListener');
    this.#connect();
    if (this.#env.document?.visibilityState === 'hidden') this.#onVisibility();
    return this;
  }

  stop() {
    this.#finish('stopped');
  }

  pause() {
    this.#pause('app');
  }

  resume() {
    this.#paused = undefined;
    this.#wake();
  }

  /** The server's time, in milliseconds since 1970. */
  _serverNow() {
    return this.#env.clock() + this.#serverAhead;
  }

  /** Return whether the message was sent. */
  _send(message) {
    const open = this.#liveSince !== undefined && this.#webSocket.readyState === 1;
    if (open) {
      this.#debug('send', message.type); // without the token
      this.#webSocket.send(JSON.stringify(message));
    }
    return open;
  }

  /** Set a timer of this connection. */
  _after(name, ms, run) {
    this.#timers.set(name, ms, run);
  }

  async #connect() {
    this.#drop();
    const attempt = this.#attempt;
    this.#timers.set('connect', CONNECT_MS, () => this.#lost());
    this.#become({ name: 'connecting', attempt: this.#failures + 1 });
    if (attempt !== this.#attempt) return;
    try {
      const access = await this.#credentials.access(this.#rejected);
      if (attempt === this.#attempt) this.#open(access, attempt);
    } catch (error) {
      if (attempt === this.#attempt) this.#lost(error?.closeCode);
      this.#complain(error);
    }
  }

  #open(access, attempt) {
    if (!access) return this.#finish('unauthenticated');
    const { query = {}, protocols = [] } = access;
    this.#rejected = false;
    if (this.#seq !== undefined) query.since = this.#seq;
    const search = Object.entries(query).map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&');
    try {
      this.#webSocket = new this.#env.WebSocket(this.#url + (search && `?${search}`), protocols);
    } catch (error) {
      // Every attempt would fail.
      return this.#finish('invalid_url', { message: String(error?.message ?? error) });
    }
    const webSocket = this.#webSocket;
    webSocket.onmessage = ({ data }) => attempt === this.#attempt && this.#receive(data);
    webSocket.onclose = ({ code }) => attempt === this.#attempt && this.#lost(code);
    webSocket.onerror = () => {
      if (attempt !== this.#attempt || webSocket.readyState === 1) return;
      // Node 22 sends no close event when the connection is refused; other hosts send it in the same turn.
      this.#timers.set('connect', 0, () => this.#lost());
    };
  }

  #drop() {
    this.#attempt++;
    this.#timers.cancelAllBut('hidden');
    this.#liveSince = this.#afterMs = this.#lastError = undefined;
    const webSocket = this.#webSocket;
    this.#webSocket = undefined;
    if (!webSocket) return;
    webSocket.onmessage = webSocket.onclose = null;
    webSocket.close();
  }

  /** Decide whether and when to reconnect. */
  #lost(code, atOnce = code === UNAUTHENTICATED || code === TOO_SLOW) {
    const now = this.#env.clock();
    const wasLive = this.#liveSince !== undefined;
    const afterMs = this.#afterMs;
    const message = this.#lastError;
    const busy = BUSY.includes(code);
    if (wasLive && !busy && now - this.#liveSince >= STABLE_MS) {
      this.#failures = 0;
      this.#hurried = false;
    }
    this.#debug('close', code);
    this.#drop();
    if (TERMINAL[code]) return this.#finish(TERMINAL[code], { code, message });
    if (code === UNAUTHENTICATED) {
      if (!this.#credentials.replaceable) return this.#finish('unauthenticated', { code, message });
      this.#rejected = true;
    }
    let delay = 0;
    if (afterMs !== undefined && (wasLive || !this.#failures)) {
      delay = afterMs;
      if (!wasLive) this.#failures++;
    } else if (afterMs !== undefined || !atOnce || this.#hurried) {
      // Two draining servers in a row: wait longer than they ask.
      delay = Math.max(afterMs ?? 0, this.#backoff());
      this.#failures++;
    } else {
      this.#hurried = true;
    }
    if (busy || code === DRAINING || afterMs !== undefined) this.#notBefore = now + delay;
    this.#wait(delay, code);
  }

  /** Full jitter: clients do not reconnect in step. */
  #backoff() {
    const { minMs, maxMs } = this.#options.backoff;
    return this.#env.random() * Math.min(maxMs, minMs * 2 ** this.#failures);
  }

  #wait(delay, code) {
    if (delay <= 0) return void this.#connect();
    this.#timers.set('retry', delay, () => this.#connect());
    const name = this.#env.navigator?.onLine === false ? 'offline' : 'reconnecting';
    this.#become({ name, retryAt: this.#env.date() + delay, attempt: this.#failures, code });
  }

  #finish(reason, more) {
    if (!this.#running) return;
    this.#running = false;
    this.#timers.cancel('hidden');
    this.#observeHost('removeEventListener');
    this.#drop();
    this._ended(reason);
    this.#become({ name: 'closed', reason, ...more });
  }

  #receive(data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return;
    }
    this.#debug('receive', frame);
    if (this._route?.(frame)) return;
    this.#lastError = frame?.type === 'error' ? frame.message : undefined;
    switch (frame?.type) {
      case 'connected':
      case 'connection_established':
        return this.#established(frame);
      case this.#eventType:
        return this.#next(frame);
      case 'pong':
        this.#timers.cancel('pong');
        if (this.#state.name === 'offline') this.#become({ name: 'live' });
        return;
      case 'authenticated':
        return this.#renewBefore(frame.expires_at);
      case 'reconnect':
        if (frame.after_ms >= 0) this.#afterMs = frame.after_ms;
        return;
      case 'resync_required':
        this.#seq = this.#snapshotSeq = frame.seq;
        return this._emit('resync', frame);
      case 'error':
        this._frame(frame);
        return this._emit('error', frame);
      default:
        if (frame) this._frame(frame);
    }
  }

  #established(frame) {
    const { clock, date } = this.#env;
    this.#timers.cancel('connect');
    this.#liveSince = clock();
    this.#serverAhead = (Date.parse(frame.server_time) || date()) - clock();
    this.#snapshotSeq = frame.seq;
    this.#seq ??= frame.seq;
    this.#heartbeat = frame.heartbeat_seconds > 0 ? frame.heartbeat_seconds * 1000 : 30_000;
    this.#timers.set('ping', this.#heartbeat, this.#ping);
    this.#renewBefore(frame.expires_at);
    this.#become({ name: 'live' });
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

  #ping = (online) => {
    this.#timers.set('ping', this.#heartbeat, this.#ping);
    if (!online && this.#timers.has('pong')) return;
    this.#timers.set('pong', online ? ONLINE_MS : PONG_MS, () => this.#lost(undefined, online));
    this._send({ type: 'ping' });
  };

  #renewBefore(expiresAt) {
    const left = Date.parse(expiresAt) - this._serverNow();
    if (this.#credentials.renewable && left > 1000) {
      this.#timers.set('renew', Math.max(left - RENEW_MS, left / 2), () => this.#renew(expiresAt));
    }
  }

  async #renew(expiresAt) {
    const attempt = this.#attempt;
    this.#renewBefore(expiresAt); // again, unless `authenticated` comes first
    try {
      const token = await this.#credentials.token(true);
      if (attempt !== this.#attempt) return;
      if (token) this._send({ type: 'authenticate', token });
      else this.#finish('unauthenticated');
    } catch (error) {
      this.#complain(error);
    }
  }

  #observeHost(method) {
    const { document, window } = this.#env;
    document?.[method]?.('visibilitychange', this.#onVisibility);
    window?.[method]?.('online', this.#wake);
    window?.[method]?.('offline', this.#onOffline);
  }

  #onVisibility = () => {
    const { pauseWhenHidden } = this.#options;
    if (this.#env.document.visibilityState === 'hidden') {
      if (pauseWhenHidden) this.#timers.set('hidden', pauseWhenHidden === true ? 0 : pauseWhenHidden, () => this.#pause('hidden'));
      return;
    }
    this.#timers.cancel('hidden');
    if (this.#paused === 'hidden') this.#paused = undefined;
    this.#wake();
  };

  // A hint: a local server still answers. So ping.
  #onOffline = () => {
    if (this.#liveSince !== undefined) {
      this.#become({ name: 'offline' });
      this.#wake();
    } else if (this.#state.name === 'reconnecting') {
      this.#become({ ...this.#state, name: 'offline' });
    }
  };

  #pause(by) {
    if (!this.#running || this.#paused === 'app') return;
    this.#paused = by;
    this.#drop();
    this.#become({ name: 'paused' });
  }

  /** Ping or connect, unless the server asked for a delay. */
  #wake = ({ type } = {}) => {
    if (!this.#running || this.#paused) return;
    const delay = this.#notBefore - this.#env.clock();
    if (delay < 0 && type === 'online') this.#failures = 0;
    if (this.#liveSince !== undefined) this.#ping(type === 'online');
    else if (!this.#timers.has('connect')) this.#wait(delay, this.#state.code);
  };

  #become(state) {
    this.#state = state;
    this.#debug('state', state);
    this._emit('state', state);
  }

  #complain(error) {
    this._emit('error', { type: 'error', code: 'credentials', message: String(error?.message ?? error) });
  }
}

/**
 * Send the worker's locations. Invariant: at most one location waits (`#waiting`, the newest), at most one is under way
 * (`#underWay`), and after each answer the next one leaves no sooner than the server said.
 */
import { Credentials } from '../credentials.js';
import { Emitter } from '../emitter.js';
import { platform, Timers } from '../platform.js';
import { fromDevice, hasMoved, toMessage, watchDevice } from './device.js';
import { Screen } from './screen.js';

/** The pace until the server says one. */
const FIRST_PACE_MS = 2000;
/** Never sooner, whatever the server says: it disconnects a client that sends more than 10 messages a second. */
const LEAST_PACE_MS = 200;
/** At a slower pace nobody watches, and an approximate location is enough. */
const PRECISE_PACE_MS = 5000;
/** Without an answer for this long, the location is sent again. */
const ANSWER_MS = 10_000;
/** The device is asked for a location when it was silent for this long, or for two paces if that is longer. */
const SILENCE_MS = 4000;
const BACKOFF_MS = { min: 1000, max: 30_000 };

const FINAL = ['completed', 'cancelled'];
/** The codes that end the sharing: over a connection, and of the statuses of REST. */
const TERMINAL = ['not_tracked', 'not_allowed'];
const NOT_ALLOWED = [403, 404];

export class LocationSender extends Emitter {
  #env;
  #timers;
  #credentials;
  #url;
  #geolocation;
  #device; // ends the watch of the device
  #precise = true;
  #screen;
  #stream;
  #offs = [];
  #state = { name: 'idle' };
  #waiting; // the newest location that was not sent
  #underWay; // and how to end its request
  #attempt = 0; // answers to an older attempt are ignored
  #newest = -Infinity; // the time of the newest location, by the device's clock
  #paceMs = FIRST_PACE_MS;
  #acceptedAt = -Infinity;
  #accepted; // the location that was accepted last
  #delayedBy; // 'pace', 'backoff' or 'server': what may shorten the current delay
  #failures = 0;
  #retryAt;
  #refresh = false; // the server rejected the token
  #restOnly = false; // the server knows no locations over connections
  #serverAhead; // the server's clock minus this device's, from REST
  #problem; // of the device: 'denied' or 'unavailable'
  #permission;

  constructor({ bookingId, stream, geolocation, keepAwake = true, ...options }) {
    super();
    if (!bookingId) throw new TypeError('bookingId is missing');
    const { url = globalThis.location?.origin, fetch, environment } = options;
    this.#env = platform({ ...environment, ...(fetch && { fetch }) });
    this.#timers = new Timers(this.#env);
    const base = (url ?? '').replace(/\/+$/, '').replace(/^ws/, 'http');
    if (!base) throw new TypeError('url is missing: outside of a browser, pass the address of the server');
    if (!options.token) throw new TypeError('token is missing');
    this.#credentials = new Credentials({ token: options.token }, base, this.#env.fetch);
    this.#url = `${base}/api/v1/tracking/${encodeURIComponent(bookingId)}/`;
    this.#geolocation = geolocation === undefined ? this.#env.navigator?.geolocation : geolocation;
    this.#screen = keepAwake ? new Screen(this.#env, (awake) => this._emit('awake', awake)) : undefined;
    this.stream = stream;
  }

  get state() {
    return this.#state;
  }

  get nextInMs() {
    return this.#paceMs;
  }

  get awake() {
    return this.#screen?.awake ?? false;
  }

  get stream() {
    return this.#stream;
  }

  /** Send over another stream's connection from now on; undefined: over REST. */
  set stream(stream) {
    for (const off of this.#offs.splice(0)) off();
    this.#stream = stream;
    this.#restOnly = false;
    if (this.#underWay?.id) this.#sendAgain(0);
    if (!stream) return;
    this.#offs.push(
      stream.on('frame', (frame) => this.#receive(frame)),
      stream.on('snapshot', () => this.#follow()),
      stream.on('status', () => this.#follow()),
      stream.on('state', (state) => this.#connection(state)),
    );
    this.#follow();
  }

  on(type, listener) {
    const off = super.on(type, listener);
    if (type === 'state' && this.#state.name !== 'idle') this._call(listener, this.#state);
    return off;
  }

  start() {
    if (this.#running) {
      if (this.#problem) this.#watch();
      return this;
    }
    if (this.#geolocation === undefined) throw new TypeError('geolocation is missing: pass `geolocation`, or null and call `push`');
    this.#newest = this.#acceptedAt = -Infinity;
    this.#accepted = this.#delayedBy = undefined;
    this.#failures = 0;
    this.#paceMs = FIRST_PACE_MS;
    this.#precise = true;
    this.#refresh = false;
    this.#problem = this.#retryAt = undefined;
    this.#become({ name: 'locating' });
    this.#observeHost('addEventListener');
    this.#screen?.keep();
    this.#watch();
    void this.#watchPermission();
    this.#follow();
    return this;
  }

  stop() {
    this.#close('stopped');
  }

  /** Take a location of the application's own source. Locations older than the newest are ignored. */
  push(location) {
    const reading = fromDevice(location, this.#env.date());
    if (!this.#running || reading.at < this.#newest) return;
    this.#newest = reading.at;
    this.#problem = undefined;
    this.#waiting = reading;
    this.#listen();
    this._emit('location', reading.location);
    this.#settle();
    if (!this.#timers.has('due')) this.#deliver();
    // The server's pace for a worker at rest is slower than it need be for one who sets out.
    else if (this.#precise && this.#accepted && hasMoved(this.#accepted, reading)) this.#hurry(FIRST_PACE_MS);
  }

  get #running() {
    return !['idle', 'closed'].includes(this.#state.name);
  }

  // ── the device ──

  #watch() {
    this.#device?.();
    this.#device = undefined;
    if (!this.#geolocation) return;
    this.#device = watchDevice(this.#geolocation, this.#precise, (location) => this.push(location), (error) => this.#deviceFailed(error));
    this.#listen();
  }

  /** Ask the device when it is silent: at rest, many report nothing. */
  #listen() {
    if (!this.#device) return;
    this.#timers.set('silence', Math.max(SILENCE_MS, 2 * this.#paceMs), () => {
      this.#device?.ask();
      this.#listen();
    });
  }

  #deviceFailed({ code, message }) {
    if (!this.#running) return;
    const denied = code === 1;
    // A single location may time out while the watch goes on.
    if (code === 3 && this.#env.date() - this.#newest < ANSWER_MS) return;
    this.#problem = denied ? 'denied' : 'unavailable';
    if (denied) {
      this.#device?.();
      this.#device = undefined;
      this.#timers.cancel('silence');
    }
    this.#settle(message);
  }

  async #watchPermission() {
    if (!this.#geolocation || this.#geolocation !== this.#env.navigator?.geolocation) return;
    try {
      this.#permission = await this.#env.navigator.permissions?.query({ name: 'geolocation' });
      this.#permission?.addEventListener('change', this.#onPermission);
      if (!this.#running) this.#permission?.removeEventListener('change', this.#onPermission);
    } catch {
      // This browser does not tell: `start()` asks again.
    }
  }

  #onPermission = () => {
    if (this.#running && this.#problem === 'denied' && this.#permission.state !== 'denied') this.#watch();
  };

  // ── sending ──

  #deliver() {
    if (!this.#running || this.#underWay || !this.#waiting) return;
    const reading = this.#waiting;
    const attempt = ++this.#attempt;
    const message = toMessage(reading, this.#ahead());
    this.#waiting = undefined;
    this.#underWay = { reading };
    this.#timers.set('answer', ANSWER_MS, () => this.#failed());
    const id = String(attempt);
    if (!this.#restOnly && this.#stream?._send({ type: 'location', ...message, id })) this.#underWay.id = id;
    else void this.#post(message, attempt);
  }

  async #post(message, attempt) {
    try {
      const token = await this.#credentials.token(this.#refresh);
      if (attempt !== this.#attempt) return;
      if (!token) return this.#close('unauthenticated');
      const refreshed = this.#refresh;
      this.#refresh = false;
      const { signal } = (this.#underWay.request = new AbortController());
      const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
      const response = await this.#env.fetch(this.#url, { method: 'POST', headers, body: JSON.stringify(message), signal });
      const answer = await response.json().catch(() => ({}));
      if (attempt === this.#attempt) this.#answered(response, answer, refreshed);
    } catch (error) {
      if (attempt !== this.#attempt) return;
      this._emit('error', { code: 'network', message: String(error?.message ?? error) });
      this.#failed();
    }
  }

  #answered(response, answer, refreshed) {
    const { status, ok } = response;
    const retryMs = Number(response.headers?.get('Retry-After')) * 1000 || undefined;
    this.#learnTime(response.headers?.get('Date'));
    if (ok) return this.#take(answer.location?.timestamp, answer.next_in_ms, 'rest');
    if (status === 401) {
      if (!this.#credentials.renewable) return this.#close('unauthenticated', answer.detail);
      this.#refresh = true;
      return refreshed ? this.#failed() : this.#sendAgain(0);
    }
    // Without a code it is the answer of a proxy, which may be temporary.
    if (NOT_ALLOWED.includes(status) && answer.code) return this.#rejected('not_allowed', answer.detail);
    if (status === 429) return this.#rejected('too_soon', answer.detail, retryMs ?? this.#paceMs);
    if (status === 400) return this.#rejected('invalid_message', this.#explain(answer));
    if (answer.code && status < 500) return this.#rejected(answer.code, answer.detail);
    this.#rejected('unavailable', answer.detail, retryMs);
  }

  #explain({ detail, fields = {} }) {
    return Object.entries(fields).map(([name, messages]) => `${name}: ${[messages].flat().join(' ')}`).join(' ') || detail;
  }

  #receive(frame) {
    if (!this.#running) return;
    if (frame.type === 'pace') {
      this.#setPace(frame.next_in_ms);
      this.#listen();
      return this.#hurry(this.#paceMs);
    }
    const { id } = this.#underWay ?? {};
    if (!id) return;
    if (frame.code === 'unknown_type') {
      this.#restOnly = true;
      return this.#sendAgain(0);
    }
    if (frame.id !== id) return;
    if (frame.type === 'location_accepted') this.#take(frame.timestamp, frame.next_in_ms, 'connection');
    else if (frame.type === 'error') this.#rejected(frame.code, frame.message, frame.retry_in_ms);
  }

  #take(timestamp, nextInMs, via) {
    const { location } = (this.#accepted = this.#arrive());
    this.#acceptedAt = this.#env.clock();
    this.#failures = 0;
    this.#retryAt = undefined;
    this.#setPace(nextInMs);
    this.#later(this.#paceMs, 'pace');
    this._emit('accepted', { location, timestamp, nextInMs: this.#paceMs, via });
    this.#settle();
  }

  #rejected(code, message, retryMs) {
    if (TERMINAL.includes(code)) return this.#close(code, message);
    if (code === 'too_soon') return this.#sendAgain(Math.max(retryMs ?? this.#paceMs, LEAST_PACE_MS), 'server');
    if (code === 'unavailable') return this.#failed(retryMs ?? 0);
    this.#arrive();
    if (code !== 'stale_position') this._emit('error', { code, message });
    this.#later(this.#paceMs, 'pace');
  }

  /** Wait longer after each failure, at least as long as the server asks. */
  #failed(leastMs = 0) {
    const limit = Math.min(BACKOFF_MS.max, BACKOFF_MS.min * 2 ** this.#failures++);
    const delay = Math.max(leastMs, this.#env.random() * limit, LEAST_PACE_MS);
    this.#retryAt = this.#env.date() + delay;
    this.#sendAgain(delay, leastMs ? 'server' : 'backoff');
    this.#settle();
  }

  /** Keep the location that was under way, unless a newer one waits. */
  #sendAgain(delay, by) {
    const reading = this.#arrive();
    this.#waiting ??= reading;
    this.#later(delay, by);
  }

  #arrive() {
    const { reading, request } = this.#underWay;
    this.#attempt++;
    this.#timers.cancel('answer');
    this.#underWay = undefined;
    request?.abort(); // a browser has six requests to a server at once
    return reading;
  }

  #later(delay, by) {
    this.#delayedBy = by;
    if (delay > 0) return this.#timers.set('due', delay, () => this.#deliver());
    this.#timers.cancel('due');
    this.#deliver();
  }

  #setPace(nextInMs) {
    if (nextInMs >= 0) this.#paceMs = Math.max(nextInMs, LEAST_PACE_MS);
    const precise = this.#paceMs <= PRECISE_PACE_MS;
    if (precise === this.#precise) return;
    this.#precise = precise;
    this.#watch();
  }

  /** Send the next location `ms` after the last accepted one, if that is sooner. */
  #hurry(ms) {
    if (!this.#underWay && this.#delayedBy === 'pace' && ms <= this.#paceMs) this.#later(this.#acceptedAt + ms - this.#env.clock(), 'pace');
  }

  /** The network or the connection is back: do not wait for the end of the backoff. */
  #wake = ({ type } = {}) => {
    if (type === 'online') this.#failures = 0;
    if (this.#running && this.#delayedBy === 'backoff' && this.#timers.has('due')) this.#later(0);
  };

  #connection(state) {
    if (!this.#running) return;
    if (state.reason === 'forbidden') return this.#close('not_allowed', state.message);
    if (state.name === 'live') this.#wake();
    // `offline` without `retryAt`: the connection is still open.
    else if (this.#underWay?.id && (state.name !== 'offline' || state.retryAt)) this.#sendAgain(0);
  }

  /** Stop with the booking: the server would reject the next location. */
  #follow() {
    if (this.#running && FINAL.includes(this.#stream?.status)) this.#close('not_tracked');
  }

  // ── the clocks ──

  /** Milliseconds to add to a time of this device's clock. */
  #ahead() {
    if (this.#stream?.state.name === 'live') return this.#stream._serverNow() - this.#env.date();
    return this.#serverAhead ?? 0;
  }

  /** `Date` has whole seconds, and is hidden from pages of another origin. */
  #learnTime(date) {
    const ahead = Date.parse(date) + 500 - this.#env.date();
    if (!Number.isNaN(ahead)) this.#serverAhead = Math.abs(ahead) > 2000 ? ahead : 0;
  }

  // ── the host, and the state ──

  #observeHost(method) {
    this.#env.window?.[method]?.('online', this.#wake);
    this.#env.document?.[method]?.('visibilitychange', this.#onVisibility);
  }

  /** Browsers suspend a hidden page's watch, and some never resume it. */
  #onVisibility = () => {
    if (this.#env.document.visibilityState === 'hidden' || !this.#running) return;
    this.#screen?.keep();
    if (this.#problem !== 'denied') this.#watch();
    this.#wake();
  };

  #close(reason, message) {
    if (!this.#running) return;
    this.#attempt++;
    this.#timers.cancelAllBut();
    this.#underWay?.request?.abort();
    this.#device?.();
    this.#device = this.#waiting = this.#underWay = this.#retryAt = undefined;
    this.#permission?.removeEventListener('change', this.#onPermission);
    this.#observeHost('removeEventListener');
    this.#screen?.release();
    this.#become({ name: 'closed', reason, ...(message && { message }) });
  }

  #settle(message) {
    if (this.#problem) this.#become({ name: this.#problem, ...(message && { message }) });
    else if (this.#retryAt !== undefined) this.#become({ name: 'waiting', retryAt: this.#retryAt });
    else this.#become({ name: this.#acceptedAt === -Infinity ? 'locating' : 'sharing' });
  }

  #become(state) {
    if (state.name === this.#state.name && state.retryAt === this.#state.retryAt) return;
    this.#state = state;
    this._emit('state', state);
  }
}

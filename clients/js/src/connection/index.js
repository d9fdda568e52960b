/** One connection to `/ws/` for many streams. Invariant: at most one stream for each channel has a place in `#streams`. */
import { bookingOf } from '../booking.js';
import { notificationsOf } from '../notifications.js';
import { platform } from '../platform.js';
import { RealtimeStream } from '../stream.js';
import { AS_ASKED, ChannelStream } from './channel.js';
import { LiveStream } from './live.js';

/** Without a stream, the connection closes after this time: the next page of an application may need it. */
const IDLE_MS = 1000;
/** Between two groups of requests: the server disconnects a client that sends more than 10 messages a second. */
const GROUP_MS = 300;
/** Bookings in one message, which has at most 16 KiB. */
const LIST_LENGTH = 150;
/** The frames of the `live` channel do not name it. */
const LIVE_FRAMES = ['booking_status', 'location_update', 'live_page', 'live_left'];

const SharedBooking = bookingOf(ChannelStream);

class SharedNotifications extends notificationsOf(ChannelStream) {
  _request() {
    return { channel: 'notifications', since: this.seq };
  }
}

/** The server writes ids in lower case and with hyphens. */
const bookingKey = (id) => `booking ${id.replace(/-/g, '').toLowerCase()}`;

export class RealtimeConnection extends RealtimeStream {
  #env;
  #backoff;
  #streams = new Map(); // by channel
  #changed = new Set(); // streams whose subscription is to be requested or ended
  #requested = new Set(); // streams that the server sends to
  #sentAt = -Infinity;
  #kept = false; // `start()` was called
  #connected = false; // at least once

  constructor(options) {
    super('/ws/', '', { ...options, since: undefined });
    this.#env = platform(options.environment);
    this.#backoff = options.backoff;
  }

  booking(bookingId, { since } = {}) {
    if (!bookingId) throw new TypeError('bookingId is missing');
    const key = bookingKey(bookingId);
    return this.#streams.get(key) ?? this.#add(new SharedBooking({ bookingId, since, booking_id: bookingId, ...this.#parts(key) }));
  }

  notifications({ since } = {}) {
    const key = 'notifications';
    return this.#streams.get(key) ?? this.#add(new SharedNotifications({ since, channel: key, ...this.#parts(key) }));
  }

  live(request) {
    const key = 'live';
    const running = this.#streams.get(key);
    if (running) return request ? running.watch(request) : running;
    return this.#add(new LiveStream({ ...request, channel: key, ...this.#parts(key) }));
  }

  /** Connect, and stay connected without a stream until `stop()`. */
  start() {
    super.start();
    this.#kept = true;
    return this;
  }

  stop() {
    this.#kept = false;
    for (const stream of [...this.#streams.values()]) stream.stop();
    super.stop();
  }

  /** The server's time in milliseconds since 1970; before the first connection, this machine's. */
  serverNow() {
    return this.#connected ? this._serverNow() : this.#env.date();
  }

  #parts(key) {
    return { connection: this, env: this.#env, backoff: this.#backoff, key };
  }

  #add(stream) {
    this.#streams.set(stream._key, stream);
    return stream;
  }

  /** Give the stream its channel, and connect. Throws a TypeError if another stream has the channel. */
  _claim(stream) {
    if ((this.#streams.get(stream._key) ?? stream) !== stream) throw new TypeError(`the connection has another stream of this channel: ${stream._key}`);
    super.start();
    this.#add(stream);
  }

  _release(stream) {
    if (this.#streams.get(stream._key) === stream) this.#streams.delete(stream._key);
    this._change(stream);
  }

  /** Request or end the subscription of a stream, together with others that change now. */
  _change(stream) {
    this.#changed.add(stream);
    this._after('request', Math.max(0, this.#sentAt + GROUP_MS - this.#env.clock()), () => this.#requestAll());
    this.#closeIfIdle();
  }

  /** Give a frame to its stream. Returns whether the frame is about a channel. */
  _route(frame) {
    if (!frame) return true;
    const { type, channel, booking_id } = frame;
    if (LIVE_FRAMES.includes(type)) this.#streams.get('live')?._receive(frame);
    const stream = this.#streams.get(booking_id ? bookingKey(booking_id) : channel);
    if (type === 'unsubscribed' && frame.code !== AS_ASKED) this.#requested.delete(stream);
    stream?._receive(frame);
    return Boolean(booking_id || channel || LIVE_FRAMES.includes(type));
  }

  _emit(type, value) {
    super._emit(type, value);
    const streams = [...this.#streams.values()];
    if (type === 'error') for (const stream of streams) if (stream._wanted) stream._emit(type, value);
    if (type !== 'state') return;
    const open = this.#isOpen;
    if (!open) this.#requested.clear();
    for (const stream of streams) stream._connection(value);
    if (open) this.#closeIfIdle();
  }

  _established() {
    this.#connected = true;
  }

  _frame() {}

  _ended() {}

  get #isOpen() {
    const { name, retryAt } = this.state;
    return name === 'live' || (name === 'offline' && retryAt === undefined);
  }

  get #idle() {
    return !this.#kept && ![...this.#streams.values()].some((stream) => stream._wanted);
  }

  #closeIfIdle() {
    if (!this.#idle) return;
    const close = () => this.#idle && super.stop();
    if (this.#isOpen) this._after('idle', IDLE_MS, close);
    else close();
  }

  #requestAll() {
    const changed = [...this.#changed];
    this.#changed.clear();
    this.#sentAt = this.#env.clock();
    this.#request('unsubscribe', changed.filter((stream) => !stream._wanted && this.#requested.delete(stream)));
    for (const stream of this.#request('subscribe', changed.filter((stream) => stream._wanted))) this.#requested.add(stream);
  }

  /** Send one message for each kind of channel. Returns the streams whose message was sent. */
  #request(type, streams) {
    const bookings = streams.filter(({ _address }) => _address.booking_id);
    const groups = streams.filter(({ _address }) => !_address.booking_id).map((stream) => [stream]);
    for (let at = 0; at < bookings.length; at += LIST_LENGTH) groups.push(bookings.slice(at, at + LIST_LENGTH));
    return groups.filter((group) => this._send({ type, ...this.#keys(type, group) })).flat();
  }

  #keys(type, streams) {
    const [{ _address, _key }] = streams;
    if (streams.length > 1) return this.#list(type, streams);
    if (type === 'subscribe') return streams[0]._request();
    return _address.booking_id ? { channel: 'booking', ..._address } : { channel: _key };
  }

  #list(type, streams) {
    const known = streams.filter(({ seq }) => seq !== undefined);
    const since = type === 'subscribe' && known.length ? Object.fromEntries(known.map(({ seq, _address }) => [_address.booking_id, seq])) : undefined;
    return { channel: 'booking', booking_ids: streams.map(({ _address }) => _address.booking_id), since };
  }
}

import { ChannelStream } from './channel.js';

const OVER = ['completed', 'cancelled'];

/** The keys that the server takes. */
function toRequest({ bbox, maxRate } = {}) {
  if (bbox) {
    const [west, south, east, north] = bbox;
    const within = bbox.length === 4 && [west, east].every((lng) => Math.abs(lng) <= 180) && -90 <= south && south <= north && north <= 90;
    if (!within) throw new TypeError(`bbox is not [west, south, east, north] in degrees: ${bbox}`);
  }
  if (maxRate !== undefined && !(maxRate >= 0.01 && maxRate <= 10)) throw new TypeError(`maxRate is not between 0.01 and 10: ${maxRate}`);
  return { bbox, max_rate: maxRate };
}

/** All tracked bookings, or those in a box, for staff. */
export class LiveStream extends ChannelStream {
  #request;
  #seqs = new Map(); // of the bookings that are shown

  constructor({ bbox, maxRate, ...options }) {
    super(undefined, undefined, options);
    this.#request = toRequest({ bbox, maxRate });
  }

  /** Show another box. The pages come again. */
  watch(request) {
    this.#request = toRequest(request);
    if (['live', 'connecting'].includes(this.state.name)) this._again();
    return this;
  }

  _request() {
    return { channel: 'live', ...this.#request };
  }

  _receive(frame) {
    const { type, booking_id, seq } = frame;
    if (!this._wanted) return;
    if (type === 'live_page') return this.#page(frame);
    if (type === 'unsubscribed') return super._receive(frame);
    if (!this._isJoined) return;
    const known = this.#seqs.has(booking_id);
    if (type === 'live_left') {
      if (this.#seqs.delete(booking_id)) this._emit('left', frame);
    } else if (type === 'location_update') {
      if (known) this._emit('location', frame);
    } else if (type === 'booking_status') {
      const over = OVER.includes(frame.status);
      if (known ? seq <= this.#seqs.get(booking_id) : over) return;
      if (over) this.#seqs.delete(booking_id);
      else this.#seqs.set(booking_id, seq);
      this._emit('status', frame);
    }
  }

  #page({ bookings, last = false }) {
    const first = !this._isJoined;
    if (first) {
      this.#seqs.clear();
      this._joined();
    }
    for (const { booking_id, seq } of bookings) this.#seqs.set(booking_id, seq);
    this._emit('page', { bookings, first, last });
  }
}

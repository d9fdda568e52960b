import { RealtimeStream } from './stream.js';

const FINAL = ['completed', 'cancelled'];

const sameLocation = (one, other) => ['timestamp', 'lat', 'lng', 'eta_minutes'].every((key) => one[key] === other?.[key]);

/** One booking: every status event once and in order, and the worker's location while it may be seen. */
export const bookingOf = (Base) => class BookingStream extends Base {
  #status;
  #location = null;
  #shownAt = -Infinity;

  constructor({ bookingId, ...options }) {
    if (!bookingId) throw new TypeError('bookingId is missing');
    super(`/ws/bookings/${encodeURIComponent(bookingId)}/`, 'booking_status', options);
  }

  get status() {
    return this.#status;
  }

  get location() {
    return this.#location;
  }

  _established(snapshot) {
    this.#status = snapshot.status;
    this._emit('snapshot', snapshot);
    if (snapshot.location) this.#show(snapshot.location);
    else this.#clear();
  }

  _event(event, fresh) {
    if (fresh) this.#status = event.status;
    this._emit('status', event);
    // Replayed events are older than the snapshot's location and do not clear it.
    if (fresh && (FINAL.includes(event.status) || event.event_type === 'booking_assigned')) this.#clear();
  }

  _frame(frame) {
    if (frame.type === 'location_update') this.#show(frame);
    else this._emit('frame', frame);
  }

  _ended(reason) {
    if (reason !== 'stopped') this.#clear();
  }

  #show(location) {
    // The server's order: a phone whose clock is ahead must not hide later locations.
    const at = Math.min(Date.parse(location.timestamp), this._serverNow());
    if (FINAL.includes(this.#status) || !(at >= this.#shownAt) || sameLocation(location, this.#location)) return;
    this.#shownAt = at;
    this.#location = location;
    this._emit('location', location);
  }

  #clear() {
    this.#shownAt = -Infinity;
    if (!this.#location) return;
    this.#location = null;
    this._emit('location', null);
  }
};

export const BookingStream = bookingOf(RealtimeStream);

import { RealtimeStream } from './stream.js';

const FINAL = ['completed', 'cancelled'];

const samePosition = (one, other) =>
  ['timestamp', 'lat', 'lng', 'eta_minutes'].every((key) => one[key] === other?.[key]);

/** One booking, live: every status event once and in order, and where the worker is while that may be seen. */
export class BookingStream extends RealtimeStream {
  #status;
  #location = null;
  #shownAt = -Infinity;

  constructor({ bookingId, ...options }) {
    if (!bookingId) throw new TypeError('bookingId is needed');
    super(`/ws/bookings/${encodeURIComponent(bookingId)}/`, 'booking_status', options);
  }

  /** The newest status known: the snapshot's, even while older events are still being replayed. */
  get status() {
    return this.#status;
  }

  /** The position shown last, null when there is none or it may no longer be seen. */
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
    // The snapshot's location is as new as the snapshot: replayed events say nothing about it.
    if (fresh && (FINAL.includes(event.status) || event.event_type === 'booking_assigned')) this.#clear();
  }

  _frame(frame) {
    if (frame.type === 'location_update') this.#show(frame);
  }

  _ended(reason) {
    if (reason !== 'stopped') this.#clear();
  }

  #show(location) {
    // As the server orders them: a phone whose clock is ahead must not hide the positions that follow.
    const at = Math.min(Date.parse(location.timestamp), this._serverNow());
    if (FINAL.includes(this.#status) || !(at >= this.#shownAt) || samePosition(location, this.#location)) return;
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
}

/**
 * The bookings that are under way, by REST and by the channel `live`. Invariant: an entry has the status of its highest
 * seq, and an entry is removed only when its end is certain.
 */
import { contains } from './box.js';

/** After this many milliseconds without a location, the marker of a worker who is expected says so. */
export const STALE_MS = 60_000;
/** In these statuses a worker is expected to send locations. */
const SENDING = ['confirmed', 'on_the_way'];
const FINAL = ['completed', 'cancelled'];

export class Bookings {
  #entries = new Map(); // id → {id, seq, status, location, locatedAt, details, text, live}
  #now;
  #onChange;
  #kept; // the id of the entry that stays after its end
  #pages; // ids of the pages since the first one, until the last one
  /** Ids of bookings that REST must read: details are missing or old, or the channel no longer shows them. */
  unsure = new Set();

  /** `now()`: the server's time. `onChange(entry, kind)`: `kind` is `state`, `location` or `gone`. */
  constructor({ now, onChange }) {
    this.#now = now;
    this.#onChange = onChange;
  }

  get all() {
    return [...this.#entries.values()];
  }

  get size() {
    return this.#entries.size;
  }

  get(id) {
    return this.#entries.get(id);
  }

  /** Take a page of the channel. `box`: the subscription's, undefined for all bookings. */
  page({ bookings, first, last }, box) {
    if (first) this.#pages = new Set();
    for (const { booking_id: id, seq, status, location } of bookings) {
      this.#pages?.add(id);
      const entry = this.#entry(id, seq);
      entry.live = true;
      if (seq < entry.seq) continue;
      Object.assign(entry, { seq, status });
      this.#locate(entry, location);
      this.#changed(entry);
    }
    if (!last || !this.#pages) return;
    for (const entry of this.#entries.values()) {
      const missing = entry.live && !this.#pages.has(entry.id);
      if (!missing) continue;
      entry.live = false;
      // In another part of the map it is not missed.
      if (!box || contains(box, entry.location)) this.unsure.add(entry.id);
    }
    this.#pages = undefined;
  }

  status({ booking_id: id, seq, status, event_type: type }) {
    const entry = this.#entry(id, seq);
    this.#pages?.add(id);
    if (seq < entry.seq) return;
    const over = FINAL.includes(status);
    Object.assign(entry, { seq, status, live: !over });
    if (over || type === 'booking_assigned') this.#locate(entry, null);
    if (type === 'booking_assigned') this.unsure.add(id);
    this.#changed(entry);
  }

  location(location) {
    const entry = this.#entries.get(location.booking_id);
    if (!entry || location.uncertain || FINAL.includes(entry.status)) return;
    this.#locate(entry, location);
    this.#onChange(entry, 'location');
  }

  /** The channel no longer shows a booking: it left the box, or was deleted. */
  left({ booking_id: id }) {
    const entry = this.#entries.get(id);
    if (!entry) return;
    entry.live = false;
    this.unsure.add(id);
  }

  /** Take a booking from REST. */
  read(details) {
    const { id, seq, status } = details;
    const known = this.#entries.get(id);
    if (!known && FINAL.includes(status)) return;
    const entry = known ?? this.#entry(id, seq);
    this.unsure.delete(id);
    if (!(entry.details?.seq > seq)) {
      entry.details = details;
      entry.text = searchable(details);
    }
    if (seq >= entry.seq) {
      Object.assign(entry, { seq, status });
      if (FINAL.includes(status)) this.#locate(entry, null);
    }
    this.#changed(entry);
  }

  /** Remove a booking that is not there any more. */
  gone(id) {
    this.unsure.delete(id);
    const entry = this.#entries.get(id);
    if (!entry) return;
    this.#entries.delete(id);
    this.#onChange(entry, 'gone');
  }

  /** Keep this booking after its end, and no other one. */
  keep(id) {
    const before = this.#entries.get(this.#kept);
    this.#kept = id;
    if (before && before.id !== id) this.#changed(before);
  }

  /** Ask for the bookings that a complete reading of REST did not have. */
  missing(ids) {
    for (const { id, status } of this.#entries.values()) if (!ids.has(id) && !FINAL.includes(status)) this.unsure.add(id);
  }

  /** Whether the location of a worker who is expected is old. */
  isStale({ status, location, locatedAt }) {
    return Boolean(location) && SENDING.includes(status) && this.#now() - locatedAt >= STALE_MS;
  }

  #entry(id, seq) {
    let entry = this.#entries.get(id);
    if (!entry) {
      entry = { id, seq, status: undefined, location: null, locatedAt: undefined, details: undefined, text: '', live: false };
      this.#entries.set(id, entry);
      this.unsure.add(id);
    }
    return entry;
  }

  #locate(entry, location) {
    if (location?.uncertain) return;
    entry.location = location;
    // A phone whose clock is ahead must not look fresh for longer.
    entry.locatedAt = location ? Math.min(Date.parse(location.timestamp), this.#now()) : undefined;
  }

  #changed(entry) {
    if (!FINAL.includes(entry.status) || entry.id === this.#kept) return this.#onChange(entry, 'state');
    this.#entries.delete(entry.id);
    this.unsure.delete(entry.id);
    this.#onChange(entry, 'gone');
  }
}

/** Return where the marker of an entry is, `[lat, lng]` or null: at the location, else at the site if the worker is there or not under way. */
export function placeOf({ status, location, details }) {
  if (location) return [location.lat, location.lng];
  if (!['requested', 'confirmed', 'arrived'].includes(status) || !details || details.lat === null) return null;
  return [Number(details.lat), Number(details.lng)];
}

const searchable = ({ service, address, owner, worker, id }) => [service, address, owner.name, worker?.name, id].filter(Boolean).join('\n').toLowerCase();

/** The demo's device: a `Geolocation` whose place is moved by hand on the map, or by a replayed track. */
import { bearing, metresBetween } from './geometry.js';

/** Milliseconds: a longer rest ends a movement. */
const REST_MS = 5000;
const ACCURACY = 8;

export class DemoGeolocation {
  #at;
  #coords;
  #movedAt = 0;
  #watchers = new Map();
  #next = 0;

  /** `at`: `[lat, lng]`. */
  constructor(at) {
    this.#at = at;
    this.#coords = { heading: null, speed: 0 };
  }

  get at() {
    return this.#at;
  }

  moveTo(at) {
    const now = Date.now();
    const seconds = (now - this.#movedAt) / 1000;
    const metres = metresBetween(this.#at, at);
    const moving = seconds * 1000 < REST_MS && seconds > 0;
    this.#coords = { heading: metres > 1 ? bearing(this.#at, at) : this.#coords.heading, speed: moving ? metres / seconds : null };
    this.#at = at;
    this.#movedAt = now;
    for (const watcher of this.#watchers.values()) watcher(this.#position());
  }

  watchPosition(success) {
    const id = ++this.#next;
    this.#watchers.set(id, success);
    setTimeout(() => this.#watchers.has(id) && success(this.#position()));
    return id;
  }

  clearWatch(id) {
    this.#watchers.delete(id);
  }

  getCurrentPosition(success) {
    if (Date.now() - this.#movedAt > REST_MS) this.#coords.speed = 0;
    success(this.#position());
  }

  #position() {
    const [latitude, longitude] = this.#at;
    return { coords: { latitude, longitude, accuracy: ACCURACY, ...this.#coords }, timestamp: Date.now() };
  }
}

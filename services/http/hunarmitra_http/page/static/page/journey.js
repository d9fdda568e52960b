/** The demo's worker: sets out, sends locations over REST, arrives, completes. */
import { metresBetween, place } from './words.js';

/** Number of locations on the way, and the speed of a scooter in town in metres per second. */
const STEPS = 26;
const SPEED = 11;
/** How far the way bends, as a part of its length. */
const CURVE = 0.14;
/** Metres: a last location farther away is from another day. */
const NEARBY = 20_000;
/** The site of a booking without coordinates: Connaught Place, New Delhi. */
const ELSEWHERE = [28.6315, 77.2167];
const METRES_PER_DEGREE = 111_195;

export class Journey {
  #session;
  #path;
  #tracking;
  #pace;
  #last;
  #ended;
  #wake = () => {};

  /** `pace`: milliseconds between locations; `last`: the worker's last location, or null. */
  constructor(session, bookingId, pace, last) {
    this.#session = session;
    this.#path = `bookings/${bookingId}/`;
    this.#tracking = `tracking/${bookingId}/`;
    this.#pace = pace;
    this.#last = last;
  }

  stop() {
    this.#ended = true;
    this.#wake();
  }

  /** Run until the work is done or `stop()`. Continues where an earlier journey stopped. */
  async run() {
    const booking = await this.#session.get(this.#path);
    if (booking.status === 'confirmed') await this.#enter('on_the_way');
    if (booking.status !== 'arrived') {
      await this.#travel(booking);
      await this.#enter('arrived');
      await this.#pause(this.#pace);
    }
    await this.#enter('completed');
  }

  async #travel(booking) {
    const site = place(booking) ?? ELSEWHERE;
    for (const [lat, lng] of way(this.#start(site), site)) {
      if (this.#ended) return;
      await this.#post({ lat, lng });
      await this.#pause(this.#pace);
    }
  }

  #start(site) {
    if (this.#last && metresBetween(place(this.#last), site) < NEARBY) return place(this.#last);
    const away = (SPEED * STEPS * this.#pace) / 1000 / METRES_PER_DEGREE / Math.SQRT2;
    return [site[0] - away, site[1] - away / Math.cos((site[0] * Math.PI) / 180)];
  }

  async #enter(status) {
    if (!this.#ended) await this.#patiently(() => this.#session.patch(`${this.#path}status/`, { status }));
  }

  async #post(location) {
    await this.#patiently(() => this.#session.post(this.#tracking, location));
  }

  /** Repeat a call after HTTP 429, and through a short outage of the server. */
  async #patiently(call) {
    for (let failures = 0; !this.#ended; ) {
      try {
        return await call();
      } catch (error) {
        const busy = error.status === 429;
        if (!busy && (error.status < 500 || ++failures > 10)) throw error;
        await this.#pause(busy ? error.retryAfter : 1000);
      }
    }
  }

  #pause(milliseconds) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, this.#ended ? 0 : milliseconds);
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }
}

/** Return locations after `start` in a gentle curve; the last one is `site`. */
function way(start, site) {
  const [north, east] = [site[0] - start[0], site[1] - start[1]];
  return Array.from({ length: STEPS }, (_, index) => {
    const part = (index + 1) / STEPS;
    const aside = CURVE * Math.sin(Math.PI * part) * (part < 1);
    return [start[0] + north * part + east * aside, start[1] + east * part - north * aside].map((degrees) => Number(degrees.toFixed(6)));
  });
}

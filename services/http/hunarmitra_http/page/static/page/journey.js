/** The demo's worker: sets out, moves along a track, arrives, completes. Locations are sent as a worker's phone does. */
import { DemoGeolocation } from './demo-geolocation.js';
import { METRES_PER_DEGREE, metresBetween, place } from './geometry.js';

/** Number of locations on the way, and the speed of a scooter in town in metres per second. */
const STEPS = 26;
const SPEED = 11;
/** How far the way bends, as a part of its length. */
const CURVE = 0.14;
/** Metres: a last location farther away is from another day. */
const NEARBY = 20_000;
/** The site of a booking without coordinates: Connaught Place, New Delhi. */
const ELSEWHERE = [28.6315, 77.2167];

export class Journey {
  #session;
  #path;
  #share;
  #sender;
  #pace;
  #last;
  #ended;
  #wake = () => {};

  /**
   * `pace`: milliseconds between the locations of the track. `last`: the worker's last location, if there is one.
   * `share(geolocation)` returns a running sender.
   */
  constructor(session, bookingId, pace, last, share) {
    this.#session = session;
    this.#path = `bookings/${bookingId}/`;
    this.#share = share;
    this.#pace = pace;
    this.#last = last;
  }

  stop() {
    this.#ended = true;
    this.#shareNoMore();
    this.#wake();
  }

  /** Run until the work is done or `stop()`. Continues where an earlier journey stopped. */
  async run() {
    const booking = await this.#session.get(this.#path);
    if (booking.status === 'confirmed') await this.#enter('on_the_way');
    if (booking.status !== 'arrived') {
      await this.#travel(booking);
      this.#shareNoMore();
      await this.#enter('arrived');
      await this.#pause(this.#pace);
    }
    await this.#enter('completed');
  }

  async #travel(booking) {
    const site = place(booking) ?? ELSEWHERE;
    const start = this.#start(site);
    const track = way(start, site);
    const device = new DemoGeolocation(start);
    if (this.#ended) return;
    const sender = (this.#sender = this.#share(device));
    // Somebody else ended it: the server, or the worker with the page's switch.
    sender.on('state', ({ name }) => name === 'closed' && sender === this.#sender && this.stop());
    for (const at of track) {
      if (this.#ended) return;
      device.moveTo(at);
      await this.#pause(this.#pace);
    }
  }

  #shareNoMore() {
    const sender = this.#sender;
    this.#sender = undefined;
    sender?.stop();
  }

  #start(site) {
    if (this.#last && metresBetween(place(this.#last), site) < NEARBY) return place(this.#last);
    const away = (SPEED * STEPS * this.#pace) / 1000 / METRES_PER_DEGREE / Math.SQRT2;
    return [site[0] - away, site[1] - away / Math.cos((site[0] * Math.PI) / 180)];
  }

  async #enter(status) {
    if (!this.#ended) await this.#patiently(() => this.#session.patch(`${this.#path}status/`, { status }));
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

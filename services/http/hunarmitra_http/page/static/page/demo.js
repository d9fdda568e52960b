/** "Drive the demo": play the worker of a booking, and create another booking when this one is over. */
import { LocationSender } from '../realtime/sender/index.js';
import { Journey } from './journey.js';
import { t } from './languages.js';
import { demoPeople, Session } from './session.js';

/** Milliseconds above the server's limit, so that no location is sent too soon. */
const SPARE = 200;
const QUICKEST = 1000;

export class Demo {
  #session;
  #me;
  #pace;
  #sharing;
  #people;
  #signedIn = new Map(); // role → session

  constructor(session, me, trackingSeconds, sharing) {
    this.#session = session;
    this.#me = me;
    this.#sharing = sharing;
    this.#pace = Math.max(QUICKEST, trackingSeconds * 1000 + SPARE);
  }

  /** Return whether this browser may play the worker of a booking. */
  async drives({ worker }) {
    return !worker || worker.id === this.#me.id || this.#me.role === 'admin' || worker.id === (await this.#person('worker'))?.id;
  }

  /** Return the journey of the booking's worker; assign one first if there is none. `last`: the last location. */
  async journey(booking, last) {
    const { worker } = booking;
    const played = !worker || worker.id === (await this.#person('worker'))?.id;
    const session = played && worker?.id !== this.#me.id ? await this.#as('worker') : this.#session;
    if (!worker) await this.#assign(booking);
    // The worker's own page shows what it shares; another person's page plays the worker's phone.
    const share = worker?.id === this.#me.id
      ? (geolocation) => this.#sharing.start(booking.id, geolocation)
      : (geolocation) => new LocationSender({ bookingId: booking.id, token: session.token, geolocation, keepAwake: false }).start();
    return new Journey(session, booking.id, this.#pace, last, share);
  }

  /** Create the same booking again, with the demo's worker, and return its id. */
  async again({ service, address, lat, lng, notes, estimated_price }) {
    const customer = this.#me.role === 'employer' ? this.#session : await this.#as('employer');
    const order = { service, address, lat, lng, notes, estimated_price, preferred_time: new Date(Date.now() + 3_600_000).toISOString() };
    const booking = await customer.post('bookings/', order);
    await this.#assign(booking);
    return booking.id;
  }

  async #assign(booking) {
    const staff = this.#me.role === 'admin' ? this.#session : await this.#as('admin');
    await staff.post(`bookings/${booking.id}/assign/`, { worker_id: (await this.#person('worker')).id });
  }

  async #person(role) {
    this.#people ??= await demoPeople();
    return this.#people.find((person) => person.role === role);
  }

  async #as(role) {
    if (!this.#signedIn.has(role)) {
      const person = await this.#person(role);
      if (!person) throw new Error(t('drive.nobody'));
      this.#signedIn.set(role, await Session.signIn(person.username, person.password));
    }
    return this.#signedIn.get(role);
  }
}

/** The worker's shared location: one booking at a time, in any view, also after a reload of the tab. */
import { LocationSender } from '../realtime/sender/index.js';

const KEPT_AS = 'hunarmitra.sharing';
const OFF = { name: 'idle' };

export class Sharing {
  #session;
  #sender;
  #stream; // of the open view
  #listeners = new Set();
  /** The booking whose worker's location is shared, or was shared last. */
  bookingId;
  /** Where the locations come from; undefined: the device. */
  geolocation;
  /** The last accepted location: `{location, at}`, `at` in milliseconds since 1970. */
  accepted;

  constructor(session) {
    this.#session = session;
  }

  /** The state of the sender for a booking. */
  stateOf(bookingId) {
    return bookingId === this.bookingId && this.#sender ? this.#sender.state : OFF;
  }

  on(bookingId) {
    return !['idle', 'closed'].includes(this.stateOf(bookingId).name);
  }

  get awake() {
    return this.#sender?.awake ?? false;
  }

  /** Whether the tab shared the location of this booking before it was loaded again. */
  wasOn(bookingId) {
    return sessionStorage.getItem(KEPT_AS) === bookingId;
  }

  /** Share from now on. `geolocation`: where locations come from, by default the device. Returns the sender. */
  start(bookingId, geolocation) {
    if (this.on(bookingId) && geolocation === this.geolocation) return this.#sender.start();
    this.#sender?.stop();
    this.bookingId = bookingId;
    this.geolocation = geolocation;
    this.accepted = undefined;
    const stream = this.#stream?.bookingId === bookingId ? this.#stream.stream : undefined;
    const sender = new LocationSender({ bookingId, token: this.#session.token, stream, geolocation });
    this.#sender = sender;
    sender.on('accepted', ({ location }) => {
      this.accepted = { location, at: Date.now() };
      this.#tell();
    });
    sender.on('state', ({ name }) => {
      if (name === 'closed') sessionStorage.removeItem(KEPT_AS);
      this.#tell();
    });
    sender.on('awake', () => this.#tell());
    sender.on('location', (location) => this.#tell(location));
    sessionStorage.setItem(KEPT_AS, bookingId);
    try {
      return sender.start();
    } catch {
      // A browser without locations: the state stays idle.
      sessionStorage.removeItem(KEPT_AS);
      return sender;
    }
  }

  stop() {
    this.#sender?.stop();
  }

  /** Use the connection of the open view for its booking. Returns the function that ends it. */
  attach(bookingId, stream) {
    this.#stream = { bookingId, stream };
    if (bookingId === this.bookingId && this.#sender) this.#sender.stream = stream;
    return () => {
      if (this.#stream?.stream !== stream) return;
      this.#stream = undefined;
      if (this.#sender) this.#sender.stream = undefined;
    };
  }

  /** Call back at each change; with the location when the device gave a new one. Returns the function that ends it. */
  onChange(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #tell(location) {
    for (const listener of [...this.#listeners]) listener(location);
  }
}

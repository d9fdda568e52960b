/** Reads what the channel does not have: customers, workers, addresses, and the bookings that wait for a worker. */
import { retrying } from '../retry.js';

/** A booking goes forward through these, so that reading them in this order misses none that moves meanwhile. */
const STATUSES = ['requested', 'confirmed', 'on_the_way', 'arrived'];
/** Milliseconds between two readings: of the bookings without a worker, and of all. */
export const REQUESTED_MS = 15_000;
export const ALL_MS = 120_000;
/** Bookings that are not certain are gathered for this long, then read together. */
const GATHER_MS = 300;
/** More than this many are read as lists, unless that was done a moment ago. */
const MOST_SINGLE = 10;
const MOMENT_MS = 10_000;

export class Reader {
  #session;
  #bookings;
  #stream;
  #onDone;
  #onFail;
  #timers = new Set();
  #reading; // the promise of the reading under way
  #retry;
  #ended = false;
  #readAt = -Infinity;

  /** `onDone()`: after each complete reading. `onFail(error)`: it is tried again, also when the stream returns. */
  constructor({ session, bookings, stream, onDone, onFail }) {
    this.#session = session;
    this.#bookings = bookings;
    this.#stream = stream;
    this.#onDone = onDone;
    this.#onFail = onFail;
  }

  start() {
    this.#every(REQUESTED_MS, () => this.#read(['requested']));
    this.#every(ALL_MS, () => this.all());
    this.#every(GATHER_MS, () => this.#certain());
    document.addEventListener('visibilitychange', this.#onVisible);
    void this.all();
  }

  stop() {
    this.#ended = true;
    this.#timers.forEach(clearInterval);
    document.removeEventListener('visibilitychange', this.#onVisible);
    this.#retry?.end();
  }

  /** Read everything that is under way. */
  all() {
    return this.#read(STATUSES);
  }

  #every(milliseconds, run) {
    this.#timers.add(setInterval(() => document.hidden || this.#reading || this.#retry || void run(), milliseconds));
  }

  #onVisible = () => {
    if (!document.hidden && Date.now() - this.#readAt >= ALL_MS) void this.all();
  };

  #certain() {
    const ids = [...this.#bookings.unsure];
    if (!ids.length) return undefined;
    if (ids.length > MOST_SINGLE && Date.now() - this.#readAt > MOMENT_MS) return this.all();
    return this.#once(() => this.#single(ids.slice(0, MOST_SINGLE)));
  }

  #read(statuses) {
    return this.#once(() => this.#lists(statuses));
  }

  /** Read once at a time; after a failure again, until it succeeds. */
  #once(read) {
    this.#reading ??= this.#attempt(read).finally(() => (this.#reading = undefined));
    return this.#reading;
  }

  async #attempt(read) {
    try {
      await read();
      if (this.#ended) return;
      this.#retry?.end();
      this.#retry = undefined;
      this.#onDone();
    } catch (error) {
      if (this.#ended) return;
      this.#onFail(error);
      this.#retry ??= retrying(() => this.all().then(() => !this.#retry), this.#stream);
    }
  }

  async #lists(statuses) {
    const found = new Set();
    for (const status of statuses) {
      for (let cursor = ''; cursor !== null && !this.#ended; ) {
        const { results, next } = await this.#session.get(`bookings/?status=${status}&page_size=100&cursor=${cursor}`);
        if (this.#ended) return;
        for (const booking of results) {
          found.add(booking.id);
          this.#bookings.read(booking);
        }
        cursor = next && new URL(next).searchParams.get('cursor');
      }
    }
    if (statuses.length < STATUSES.length) return;
    this.#readAt = Date.now();
    this.#bookings.missing(found);
  }

  async #single(ids) {
    for (const id of ids) {
      if (this.#ended) return;
      try {
        this.#bookings.read(await this.#session.get(`bookings/${id}/`));
      } catch (error) {
        if (error.status !== 404) throw error;
        this.#bookings.gone(id);
      }
    }
  }
}

/** Reads what the channel does not have: customers, workers, addresses, and the bookings that wait for a worker. */
import { retrying } from '../retry.js';

/** A booking goes forward through these, so that reading them in this order misses none that moves meanwhile. */
const STATUSES = ['requested', 'confirmed', 'on_the_way', 'arrived'];
/** Milliseconds between two readings of the bookings without a worker. */
const REQUESTED_MS = 15_000;
/** Milliseconds between two readings of all, and for each request that one takes: at most 1,200 requests an hour. */
const ALL_MS = 30_000;
const REQUEST_MS = 3000;
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
  #timer;
  #reading; // the promise of the reading under way
  #retry;
  #ended = false;
  #readAt = -Infinity; // all
  #requestedAt = -Infinity;
  #requests = 0; // of the last reading of all

  /** `onDone()`: after each complete reading. `onFail(error)`: it is tried again, also when the stream returns. */
  constructor({ session, bookings, stream, onDone, onFail }) {
    this.#session = session;
    this.#bookings = bookings;
    this.#stream = stream;
    this.#onDone = onDone;
    this.#onFail = onFail;
  }

  start() {
    this.#timer = setInterval(() => document.hidden || this.#reading || this.#retry || void this.#next(), GATHER_MS);
    void this.all();
  }

  stop() {
    this.#ended = true;
    clearInterval(this.#timer);
    this.#retry?.end();
  }

  /** Read everything that is under way. */
  all() {
    return this.#read(STATUSES);
  }

  /** Read what is due, if anything is. */
  #next() {
    const ids = [...this.#bookings.unsure];
    const since = Date.now() - this.#readAt;
    if (since >= Math.max(ALL_MS, REQUEST_MS * this.#requests) || (ids.length > MOST_SINGLE && since > MOMENT_MS)) return this.all();
    if (ids.length) return this.#once(() => this.#single(ids.slice(0, MOST_SINGLE)));
    return Date.now() - this.#requestedAt >= REQUESTED_MS ? this.#read(['requested']) : undefined;
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
    let requests = 0;
    for (const status of statuses) {
      for (let cursor = ''; cursor !== null && !this.#ended; ) {
        const { results, next } = await this.#session.get(`bookings/?status=${status}&page_size=100&cursor=${cursor}`);
        if (this.#ended) return;
        requests++;
        for (const booking of results) {
          found.add(booking.id);
          this.#bookings.read(booking);
        }
        cursor = next && new URL(next).searchParams.get('cursor');
      }
    }
    this.#requestedAt = Date.now();
    if (statuses.length < STATUSES.length) return;
    this.#readAt = Date.now();
    this.#requests = requests;
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

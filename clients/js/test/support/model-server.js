/**
 * The server's rules for connecting and resuming, in memory: one numbered log of events. `join` returns the first frames
 * of a connection; later frames go to the `send` of every connection.
 */
import { BOOKING } from './streams.js';

const STATUSES = ['requested', 'confirmed', 'on_the_way', 'arrived'];

export class ModelServer {
  log = [];
  /** Events up to this seq are deleted. */
  pruned = 0;
  location = null;
  connections = new Set();
  #now;

  constructor(now = () => Date.now()) {
    this.#now = now;
    this.publish();
  }

  get seq() {
    return this.log.length;
  }

  timestamp(offsetMs = 0) {
    return new Date(this.#now() + offsetMs).toISOString();
  }

  /** Return the first frames of a connection with this `since` (a string as in the query, or null). */
  join(since) {
    const wanted = since === null ? this.seq : /^[0-9]{1,18}$/.test(since) ? Number(since) : NaN;
    const replayable = wanted >= this.pruned && wanted <= this.seq;
    const replay = replayable ? this.log.slice(wanted) : [];
    const snapshot = {
      type: 'connection_established',
      booking_id: BOOKING,
      message: 'Connected to booking updates',
      seq: this.seq,
      status: this.log.at(-1).status,
      location: this.location,
      replay: replay.length,
      heartbeat_seconds: 30,
      expires_at: this.timestamp(600_000),
      server_time: this.timestamp(),
    };
    return replayable ? [snapshot, ...replay] : [snapshot, { type: 'resync_required', seq: this.seq }];
  }

  /** Return the answer to a client's message. */
  answer(message) {
    if (message.type === 'ping') return { type: 'pong' };
    if (message.type === 'authenticate') return { type: 'authenticated', expires_at: this.timestamp(600_000) };
    return { type: 'error', code: 'unknown_type', message: 'Unknown message type' };
  }

  publish() {
    const seq = this.seq + 1;
    const status = STATUSES[seq % STATUSES.length];
    const event = {
      type: 'booking_status',
      booking_id: BOOKING,
      seq,
      status,
      event_type: `booking_${status}`,
      actor: 'Asha',
      timestamp: this.timestamp(),
    };
    this.log.push(event);
    for (const { send } of this.connections) send(event);
  }

  move() {
    this.location = { type: 'location_update', booking_id: BOOKING, lat: 28.6, lng: 77.2, timestamp: this.timestamp(), actor: 'Ravi' };
    for (const { send } of this.connections) send(this.location);
  }
}

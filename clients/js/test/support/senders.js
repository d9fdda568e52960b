/** A sender in a fake world, with a device and a server that the test controls. */
import { LocationSender } from '../../src/sender/index.js';
import { BOOKING, liveBooking } from './streams.js';
import { FakeWorld, settle } from './world.js';

export const DENIED = { code: 1, message: 'User denied Geolocation' };
export const UNAVAILABLE = { code: 2, message: 'Location is off' };
export const TIMEOUT = { code: 3, message: 'Timeout' };

/** The device's `Geolocation`. */
export class FakeGeolocation {
  watches = [];
  asked = 0;
  #world;

  constructor(world) {
    this.#world = world;
  }

  get watch() {
    return this.watches.findLast(({ open }) => open);
  }

  watchPosition(success, error, options) {
    return this.watches.push({ success, error, options, open: true }) - 1;
  }

  clearWatch(id) {
    this.watches[id].open = false;
  }

  getCurrentPosition(success, error) {
    this.asked++;
    this.question = { success, error };
  }

  at(lat, coords = {}, timestamp = this.#world.wallTime) {
    const nothing = { accuracy: 12, heading: null, speed: null };
    return { coords: { latitude: lat, longitude: 77.2, ...nothing, ...coords }, timestamp };
  }

  move(lat, coords, timestamp) {
    this.watch.success(this.at(lat, coords, timestamp));
  }

  fail(error) {
    this.watch.error(error);
  }
}

/** Wake locks, and the permission for locations. */
function equip(world) {
  const permission = Object.assign(new EventTarget(), { state: 'granted' });
  const locks = [];
  world.locks = locks;
  world.permission = permission;
  world.navigator.permissions = { query: async () => permission };
  world.navigator.wakeLock = {
    request: async () => {
      if (world.document.visibilityState === 'hidden') throw new Error('NotAllowedError');
      const lock = Object.assign(new EventTarget(), { held: true });
      lock.release = async () => {
        lock.held = false;
        lock.dispatchEvent(new Event('release'));
      };
      locks.push(lock);
      return lock;
    },
  };
}

function record(sender) {
  const told = [];
  for (const type of ['state', 'location', 'accepted', 'error', 'awake']) sender.on(type, (value) => told.push({ type, value }));
  told.of = (type) => told.filter((entry) => entry.type === type).map((entry) => entry.value);
  told.states = () => told.of('state').map(({ name, reason }) => reason ?? name);
  return told;
}

/** Return the answer of REST to an accepted location. */
export const accepted = (world, more) => ({ status: 'success', booking_id: BOOKING, location: { timestamp: world.timestamp() }, next_in_ms: 2000, ...more });

/** Return an HTTP response. */
export const response = (status, body, headers = {}) => ({
  ok: status < 400,
  status,
  headers: { get: (name) => headers[name] ?? null },
  json: async () => {
    if (typeof body === 'string') throw new SyntaxError(body);
    return body;
  },
});

export const refused = (status, code, headers, more) => response(status, { detail: `It is ${code}.`, code, ...more }, headers);

/** Return a started sender without a stream; `requests` are the locations that it posted. */
export function overRest(options = {}, world = new FakeWorld()) {
  equip(world);
  world.navigator.geolocation = new FakeGeolocation(world);
  world.answer = () => response(200, accepted(world));
  const asked = [];
  const token = async (need) => {
    asked.push(need.refresh);
    return `token-${asked.length}`;
  };
  const sender = new LocationSender({ url: 'https://api.example.org', bookingId: BOOKING, token, environment: world.environment, ...options });
  const posts = () => world.requests.map(({ body }) => JSON.parse(body));
  const lats = () => posts().map(({ lat }) => lat);
  return { world, sender, asked, posts, lats, told: record(sender), device: world.navigator.geolocation };
}

/** Return a started sender over a live connection. */
export async function overConnection(options = {}, snapshot) {
  const parts = await liveBooking({}, snapshot);
  const rest = overRest({ stream: parts.stream, ...options }, parts.world);
  rest.sender.start();
  await settle();
  const sent = () => parts.world.webSocket.sentOf('location');
  const accept = (nextInMs = 2000) =>
    parts.world.webSocket.frame({ type: 'location_accepted', booking_id: BOOKING, timestamp: parts.world.timestamp(), next_in_ms: nextInMs, id: sent().at(-1).id });
  const reject = (code, more) => parts.world.webSocket.frame({ type: 'error', code, message: `It is ${code}.`, id: sent().at(-1).id, ...more });
  return { ...rest, stream: parts.stream, webSocket: parts.webSocket, sent, accept, reject };
}

/** Locations as devices give them, and as the server takes them. */

/** Milliseconds that the device may take for one location. */
const ASK_MS = 15_000;
const LIMITS = { accuracy: 100_000, heading: 360, speed: 150 };
const METRES_PER_DEGREE = 111_195;
const NOISE_METRES = 10;
/** About 10 cm. */
const DECIMALS = 6;

/**
 * Watch a `Geolocation`. Returns a function that ends the watch; its `ask` asks for one location. `precise` lets the
 * device use satellites.
 */
export function watchDevice(geolocation, precise, onLocation, onError) {
  let ended = false;
  const options = { enableHighAccuracy: precise, maximumAge: 0 };
  const take = ({ coords, timestamp }) => {
    const { latitude: lat, longitude: lng, accuracy, heading, speed } = coords;
    if (!ended) onLocation({ lat, lng, accuracy, heading, speed, timestamp });
  };
  const fail = (error) => ended || onError(error);
  const id = geolocation.watchPosition(take, fail, options);
  const end = () => {
    ended = true;
    geolocation.clearWatch(id);
  };
  end.ask = () => geolocation.getCurrentPosition?.(take, fail, { ...options, timeout: ASK_MS });
  return end;
}

/** Return `{location, at}`: the keys that the server takes, and the time by the device's clock. */
export function fromDevice({ lat, lng, timestamp = undefined, ...more }, now) {
  if (!(Math.abs(lat) <= 90 && Math.abs(lng) <= 180)) throw new TypeError(`lat and lng are not degrees: ${lat}, ${lng}`);
  const location = { lat: round(lat), lng: round(lng) };
  for (const [name, most] of Object.entries(LIMITS)) {
    const value = name === 'heading' && more[name] === most ? 0 : more[name];
    // Devices give null or NaN for what they do not know.
    if (value >= 0 && (name === 'heading' ? value < most : value <= most)) location[name] = Math.round(value * 10) / 10;
  }
  if (location.heading === LIMITS.heading) location.heading = 0;
  // A location is from the past: a later time is an error of the device.
  return { location, at: Math.min(timestamp ?? now, now) };
}

/** Return the message for the server; `ahead` is what its clock is ahead of the device's, in milliseconds. */
export const toMessage = ({ location, at }, ahead) => ({ ...location, timestamp: new Date(at + ahead).toISOString() });

const round = (degrees) => Number(degrees.toFixed(DECIMALS));

/** Whether two readings are farther apart than the device's error. */
export function hasMoved({ location: one }, { location: other }) {
  const north = (other.lat - one.lat) * METRES_PER_DEGREE;
  const east = (other.lng - one.lng) * METRES_PER_DEGREE * Math.cos((one.lat * Math.PI) / 180);
  return Math.hypot(north, east) > Math.max(NOISE_METRES, other.accuracy ?? 0);
}

/** Distances and directions between `[lat, lng]` pairs in degrees. */

const RADIANS = Math.PI / 180;
const EARTH = 6_371_008.8;
export const METRES_PER_DEGREE = 111_195;

/** Return the great-circle distance in metres. */
export function metresBetween([lat, lng], [toLat, toLng]) {
  const across = Math.sin(((toLat - lat) * RADIANS) / 2) ** 2;
  const along = Math.sin(((toLng - lng) * RADIANS) / 2) ** 2;
  const part = across + Math.cos(lat * RADIANS) * Math.cos(toLat * RADIANS) * along;
  return 2 * EARTH * Math.asin(Math.min(1, Math.sqrt(part)));
}

/** Return the direction in degrees clockwise from north; for short distances. */
export function bearing([lat, lng], [toLat, toLng]) {
  const degrees = Math.atan2((toLng - lng) * Math.cos(lat * RADIANS), toLat - lat) / RADIANS;
  return (degrees + 360) % 360;
}

/** Return the pair `north` and `east` metres away. */
export function moved([lat, lng], north, east) {
  return [lat + north / METRES_PER_DEGREE, lng + east / METRES_PER_DEGREE / Math.cos(lat * RADIANS)].map((degrees) => Number(degrees.toFixed(6)));
}

/** The coordinates of a booking or a location, or null. */
export const place = ({ lat, lng }) => (lat === null || lng === null ? null : [Number(lat), Number(lng)]);

/** Boxes on the map: `[west, south, east, north]` in degrees. A box whose west is east of its east crosses the 180th meridian. */

/** Part of the visible map that is added on each side, so that a small move needs no new subscription. */
const MARGIN = 0.25;
/** A subscribed box this many times as wide as needed is replaced by a smaller one. */
const TOO_WIDE = 3;

/** Whether a location is in a box. */
export function contains([west, south, east, north], location) {
  if (!location) return false;
  const { lat, lng } = location;
  if (lat < south || lat > north) return false;
  return west <= east ? lng >= west && lng <= east : lng >= west || lng <= east;
}

const round = (degrees) => Math.round(degrees * 1e6) / 1e6;
const turned = (lng) => ((((lng + 180) % 360) + 360) % 360) - 180;
const width = ([west, , east]) => (west <= east ? east - west : east - west + 360);
const height = ([, south, , north]) => north - south;

/** Return the box of a visible part of the map, whose longitudes may lie beyond 180; undefined for the whole earth. */
export function visibleBox({ west, south, east, north }, margin = 0) {
  const [across, up] = [(east - west) * margin, (north - south) * margin];
  if (east - west + 2 * across >= 360) return undefined;
  return [turned(west - across), Math.max(-90, south - up), turned(east + across), Math.min(90, north + up)].map(round);
}

/** Whether `outer` contains the whole of `inner`; undefined is the whole earth. */
export function covers(outer, inner) {
  if (!outer) return true;
  if (!inner) return false;
  const [west, south, , north] = outer;
  const from = (inner[0] - west + 360) % 360;
  return from + width(inner) <= width(outer) && inner[1] >= south && inner[3] <= north;
}

/**
 * Return the box to subscribe to, or the present one if it still fits. undefined is a subscription without a box: while
 * everything known is in view, because a booking without a location is in no box.
 */
export function boxToAsk(asked, bounds, locations) {
  const visible = visibleBox(bounds);
  if (!visible || locations.every((location) => contains(visible, location))) return undefined;
  const fits = asked && covers(asked, visible) && width(asked) <= TOO_WIDE * width(visible) && height(asked) <= TOO_WIDE * height(visible);
  return fits ? asked : visibleBox(bounds, MARGIN);
}

/** Locations of one booking in a second, fewer when there are many: the browser takes about 500 in a second with ease. */
export const rateFor = (count) => Math.max(0.1, Math.min(0.5, Number((500 / Math.max(1, count)).toFixed(2))));

/** Return the rate to subscribe with, or the present one unless the number of bookings has changed much. */
export function rateToAsk(asked, count) {
  const rate = rateFor(count);
  return rate / asked > 0.6 && rate / asked < 1.6 ? asked : rate;
}

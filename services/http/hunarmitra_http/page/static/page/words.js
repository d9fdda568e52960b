/** The texts for statuses, roles and distances. */

export const STATUS = {
  requested: 'Requested',
  confirmed: 'Confirmed',
  on_the_way: 'On the way',
  arrived: 'Arrived',
  completed: 'Completed',
  cancelled: 'Cancelled',
};

export const PATH = ['requested', 'confirmed', 'on_the_way', 'arrived', 'completed'];
export const FINAL = ['completed', 'cancelled'];
/** In these statuses the worker's location may be seen. */
export const TRACKED = ['confirmed', 'on_the_way', 'arrived'];

/** What the assigned worker reads. */
const YOURS = { confirmed: 'You are booked', on_the_way: 'You are on the way', arrived: 'You have arrived' };

export const ROLE = { employer: 'Customer', worker: 'Worker', admin: 'Staff' };

/** One sentence about a booking, for the reader `me`. */
export function headline({ status, worker }, me) {
  if (worker && worker.id === me.id && status in YOURS) return YOURS[status];
  const who = worker?.name ?? 'The worker';
  return {
    requested: 'Waiting for a worker',
    confirmed: worker ? `${who} will come` : 'Confirmed',
    on_the_way: `${who} is on the way`,
    arrived: `${who} has arrived`,
    completed: 'The work is done',
    cancelled: 'Cancelled',
  }[status];
}

export function eventWords({ event_type: type, status }) {
  return type === 'booking_assigned' ? 'Worker assigned' : STATUS[status];
}

export function distance(metres) {
  if (metres < 30) return 'At the site';
  return metres < 950 ? `${Math.round(metres / 10) * 10} m away` : `${(metres / 1000).toFixed(1)} km away`;
}

/** Return the great-circle distance of two `[lat, lng]` pairs in metres. */
export function metresBetween([lat, lng], [toLat, toLng]) {
  const radians = Math.PI / 180;
  const across = Math.sin(((toLat - lat) * radians) / 2) ** 2;
  const along = Math.sin(((toLng - lng) * radians) / 2) ** 2;
  const part = across + Math.cos(lat * radians) * Math.cos(toLat * radians) * along;
  return 2 * 6_371_008.8 * Math.asin(Math.min(1, Math.sqrt(part)));
}

export const place = ({ lat, lng }) => (lat === null || lng === null ? null : [Number(lat), Number(lng)]);

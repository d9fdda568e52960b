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

/** The worker's controls. */
export const WORK = {
  title: 'Your work',
  actions: { confirmed: 'Set out', on_the_way: 'I have arrived', arrived: 'Complete the work' },
  notes: {
    confirmed: 'This also shares your location.',
    on_the_way: 'At the door. This also stops sharing.',
    arrived: 'The booking is then closed.',
    completed: 'This booking is done. Thank you.',
    cancelled: 'This booking is cancelled. You need not go there.',
  },
  sending: 'Sending…',
  waiting: (action) => `Waiting for the network. “${action}” is sent when it returns. Keep this page open.`,
  far: (metres) => `You are ${distance(metres)} from the site. Have you arrived?`,
  sure: 'Is all the work done?',
  yes: { on_the_way: 'Yes, I have arrived', arrived: 'Yes, complete it' },
  no: 'Not yet',
  failed: (message) => `Not done: ${message}`,
  decline: 'I cannot do this booking',
  declineHow: 'Only staff can give this booking to another worker. Send them this message now. You have the booking until it disappears from your list.',
  declineMessage: ({ service, address, id }) => `I cannot do the booking “${service}”${address ? `, ${address}` : ''} (${id}). Please give it to another worker.`,
  declineSend: 'Send the message',
  declineCopy: 'Copy the message',
  copied: 'Copied.',
  notCopied: 'Select the message and copy it.',
};

/** The switch that shares the worker's location. */
export const SHARING = {
  title: 'Share my location',
  on: 'On',
  off: 'Off',
  states: {
    idle: 'The customer does not see where you are.',
    locating: 'Looking for your location…',
    sharing: 'The customer sees you on the map.',
    waiting: 'Waiting for the network. Your newest location is sent when it returns.',
    denied: 'The browser may not use your location.',
    unavailable: 'The phone gives no location.',
    not_tracked: 'Off, because this booking is over.',
    not_allowed: 'Off, because this booking has another worker now.',
    unauthenticated: 'Off, because you are signed out.',
  },
  help: {
    denied: ['Open the settings of this site: the sign beside the address above.', 'Allow “Location”.', 'Press “Try again”.'],
    unavailable: ['Switch on “Location” in the phone’s settings.', 'Go to a window or outside.', 'Press “Try again”.'],
    insecure: 'Browsers give a location only to pages from https.',
  },
  again: 'Try again',
  sent: (ago, accuracy) => `Sent ${ago}${accuracy ? `, exact to ${accuracy} m` : ''}.`,
  awake: 'The screen stays on. Keep this page open: in the background, browsers give no location.',
  asleep: 'Keep this page open and the screen on: in the background, browsers give no location.',
  hand: 'Drag yourself on the map',
  handHow: 'In the demo, drag your marker on the map, or move it with the arrow keys.',
  announced: { sharing: 'Your location is shared.', stopped: 'Your location is no longer shared.' },
};

/** The customer's alert at the worker's arrival. */
export const ARRIVAL = {
  offer: 'Tell me when the worker arrives',
  granted: 'You will be told when the worker arrives, also while this page is in the background.',
  denied: 'This browser does not allow notifications from this page.',
};

export const MAP = {
  nowhere: 'No map: this booking has no coordinates, and the worker’s location is not known yet.',
  noTiles: 'Only a grid: MAP_TILE_URL is not set.',
  tilesFail: 'Only a grid: the map tiles cannot be loaded.',
  city: 'An invented city: MAP_TILE_URL is not set.',
};

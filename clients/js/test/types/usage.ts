// What an application writes must compile, and what cannot work must not. No DOM types are needed.
import {
  BookingStream,
  NotificationStream,
  type BookingFrame,
  type BookingStatus,
  type ClientMessage,
  type ConnectionState,
  type LocationUpdate,
  type NotificationEvent,
  type NotificationsFrame,
} from '@hunarmitra/realtime';
import { RealtimeConnection } from '@hunarmitra/realtime/connection';
import { LocationSender } from '@hunarmitra/realtime/sender';

type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_proof: Same<A, B>): void => undefined;

const booking = new BookingStream({
  url: 'https://api.example.org',
  bookingId: 'b',
  token: async ({ refresh }) => (refresh ? 'new' : null),
  since: 3,
  backoff: { maxMs: 5000 },
  pauseWhenHidden: 5000,
});

const off: () => void = booking.on('status', (event) => {
  same<typeof event.status, BookingStatus>(true);
  same<typeof event.seq, number>(true);
  same<typeof event.event_type, `booking_${BookingStatus}` | 'booking_assigned'>(true);
});
booking.on('location', (location) => {
  same<typeof location, LocationUpdate | null>(true);
  // @ts-expect-error: it may be null
  location.lat;
  if (location) same<typeof location.eta_minutes, number | undefined>(true);
});
booking.on('snapshot', ({ status, location, replay, seq, expires_at }) => {
  same<typeof status, BookingStatus>(true);
  same<typeof location, LocationUpdate | null>(true);
  same<[typeof replay, typeof seq, typeof expires_at], [number, number, string]>(true);
});
booking.on('resync', ({ seq }) => same<typeof seq, number>(true));
booking.on('error', ({ code, message }) => same<[typeof code, typeof message], [string, string]>(true));
booking.off('status', () => undefined);

function describe(state: ConnectionState): string {
  switch (state.name) {
    case 'reconnecting':
      return `again at ${new Date(state.retryAt).toISOString()}`;
    case 'offline':
      return state.retryAt === undefined ? 'offline' : `offline until ${state.retryAt.toFixed()}`;
    case 'closed':
      same<typeof state.reason, 'stopped' | 'unauthenticated' | 'forbidden' | 'not_found' | 'invalid_url'>(true);
      return state.reason;
    case 'idle':
    case 'connecting':
    case 'live':
    case 'paused':
      return state.name;
    default:
      return state satisfies never;
  }
}
booking.on('state', describe);
same<typeof booking.seq, number | undefined>(true);
same<typeof booking.status, BookingStatus | undefined>(true);
booking.start().pause();
booking.resume();
booking.stop();
off();

const notifications = new NotificationStream({ token: 't', ticket: true });
notifications.on('notification', (event) => same<typeof event, NotificationEvent>(true));
notifications.on('unread', (count) => same<typeof count, number>(true));
notifications.markRead('n').then(({ unread }) => same<typeof unread, number>(true));
new NotificationStream({ ticket: () => 'a ticket' });
new NotificationStream({ ticket: () => 'a ticket', token: () => 'a token' });

// @ts-expect-error: neither a token nor a ticket callback
new NotificationStream({});
// @ts-expect-error: a ticket cannot be bought without a token
new NotificationStream({ ticket: true });
// @ts-expect-error: no booking
new BookingStream({ token: 't' });
// @ts-expect-error: a number
new BookingStream({ bookingId: 'b', token: 't', since: '3' });
// @ts-expect-error: no such option
new BookingStream({ bookingId: 'b', token: 't', retries: 3 });
// @ts-expect-error: bookings have no notifications
booking.on('notification', () => undefined);
// @ts-expect-error: notifications have no location
notifications.on('location', () => undefined);
// @ts-expect-error: the state is the stream's to change
booking.state = { name: 'live' };
// @ts-expect-error: no such status
same<'done', BookingStatus>(true);

export function frames(booking: BookingFrame, notifications: NotificationsFrame): string {
  if (booking.type === 'location_update') return booking.lat.toFixed(4);
  if (notifications.type === 'marked_read') return notifications.unread.toFixed();
  return '';
}
export const messages: ClientMessage[] = [{ type: 'ping' }, { type: 'mark_read', id: 'n' }, { type: 'authenticate', token: 't' }];

booking.once('status', ({ seq }) => same<typeof seq, number>(true))();
export async function iterate(): Promise<void> {
  for await (const event of booking.events('location')) same<typeof event, LocationUpdate | null>(true);
  // @ts-expect-error: bookings have no notifications
  booking.events('notification');
}
new BookingStream({ bookingId: 'b', token: 't', debug: true });
new BookingStream({ bookingId: 'b', token: 't', debug: (entry, detail) => same<[typeof entry, typeof detail], ['state' | 'receive' | 'send' | 'close', unknown]>(true) });

const sender = new LocationSender({ bookingId: 'b', token: async () => null, stream: booking, keepAwake: false, geolocation: null });
sender.on('state', (state) => {
  if (state.name === 'waiting') same<typeof state.retryAt, number>(true);
  if (state.name === 'closed') same<typeof state.reason, 'stopped' | 'not_tracked' | 'not_allowed' | 'unauthenticated'>(true);
});
sender.on('accepted', ({ nextInMs, via }) => same<[typeof nextInMs, typeof via], [number, 'connection' | 'rest']>(true));
sender.start().push({ lat: 28.6, lng: 77.2, accuracy: null, timestamp: 0 });
sender.stream = undefined;
sender.stop();
// @ts-expect-error: no booking
new LocationSender({ token: 't' });
// @ts-expect-error: a ticket does not authenticate REST
new LocationSender({ bookingId: 'b', ticket: () => 'a ticket' });
// @ts-expect-error: it needs both coordinates
sender.push({ lat: 28.6 });
// @ts-expect-error: a stream of notifications has no locations
sender.stream = notifications;

const connection = new RealtimeConnection({ token: async () => null, backoff: { maxMs: 5000 } });
const now: number = connection.serverNow();
void now;
const shared: BookingStream = connection.booking('b', { since: 3 }).start();
connection.notifications().on('unread', (count) => same<typeof count, number>(true));
connection.live({ bbox: [76.8, 28.4, 77.4, 28.9], maxRate: 0.5 }).on('page', ({ bookings: [first] }) => first?.location?.lat);
connection.on('state', describe);
new LocationSender({ bookingId: 'b', token: 't', stream: shared, geolocation: null });
connection.stop();
// @ts-expect-error: each stream has its own
new RealtimeConnection({ token: 't', since: 3 });
// @ts-expect-error: a box has four sides
connection.live({ bbox: [1, 2, 3] });

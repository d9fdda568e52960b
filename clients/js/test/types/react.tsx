// What a React application writes must compile, and what cannot work must not.
import { RealtimeProvider, useBooking, useConnection, useNotifications } from '@hunarmitra/realtime/react';
import { RealtimeConnection } from '@hunarmitra/realtime/connection';
import type { BookingStatus, BookingStatusEvent, LocationUpdate, NotificationEvent } from '@hunarmitra/realtime';

export function Booking({ id }: { id: string | null }) {
  const { status, location, events, stream } = useBooking(id, { since: 0 });
  const { state, secondsLeft } = useConnection(stream);
  const known: BookingStatus | undefined = status;
  const place: LocationUpdate | null = location;
  const log: BookingStatusEvent[] = events;
  return <p>{known} {place?.lat} {log.length} {state.name} {secondsLeft}</p>;
}

export function Bell() {
  const { notifications, unread, markRead } = useNotifications({ limit: 20, enabled: true });
  const list: NotificationEvent[] = notifications;
  return <button onClick={() => void markRead('n').then((answer) => answer.unread.toFixed())}>{unread} {list.length}</button>;
}

export const app = (
  <RealtimeProvider url="https://api.example.org" token={async ({ refresh }) => (refresh ? 'new' : null)} pauseWhenHidden>
    <Booking id={null} />
    <Bell />
  </RealtimeProvider>
);

const connection = new RealtimeConnection({ token: async () => 'token' });
export const shared = (
  <RealtimeProvider connection={connection}>
    <Bell />
  </RealtimeProvider>
);
export const Link = () => useConnection(connection).state.name;

// @ts-expect-error: the connection has the options
export const twice = <RealtimeProvider connection={connection} url="https://api.example.org" token="t" />;
// @ts-expect-error: neither a token nor a ticket callback
export const incomplete = <RealtimeProvider url="https://api.example.org" />;
// @ts-expect-error: no such option
export const wrong = () => useBooking('b', { sinceSeq: 3 });

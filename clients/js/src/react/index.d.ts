import type { ReactElement, ReactNode } from 'react';
import type {
  BookingStatus,
  BookingStatusEvent,
  BookingStream,
  ConnectionState,
  ErrorFrame,
  LocationUpdate,
  NotificationEvent,
  NotificationStream,
  NotificationStreamOptions,
} from '../index.js';
import type { RealtimeConnection } from '../connection/index.js';

type DistributiveOmit<Type, Keys extends PropertyKey> = Type extends unknown ? Omit<Type, Keys> : never;

/**
 * The connection that all streams below the provider share, or the options of each of them. `token` and `ticket` may be new
 * functions at each render.
 */
export type RealtimeProviderProps = (
  | { connection: RealtimeConnection; url?: undefined; token?: undefined; ticket?: undefined }
  | (DistributiveOmit<NotificationStreamOptions, 'since'> & { connection?: undefined })
) & { children?: ReactNode };

export function RealtimeProvider(props: RealtimeProviderProps): ReactElement;

interface StreamView<Stream> {
  /** Undefined during the first render and on a server. */
  stream: Stream | undefined;
  connection: ConnectionState;
  /** The seq of the last event. */
  seq: number | undefined;
  /** How often missed events could not be replayed: read the booking or the list over REST after each change. */
  resyncs: number;
  /** The last error frame. */
  error: ErrorFrame | undefined;
}

export interface BookingView extends StreamView<BookingStream> {
  status: BookingStatus | undefined;
  location: LocationUpdate | null;
  /** The status events since the mount, or after `since`, oldest first. */
  events: BookingStatusEvent[];
}

export interface NotificationsView extends StreamView<NotificationStream> {
  /** The notifications since the mount, or after `since`, newest first. */
  notifications: NotificationEvent[];
  unread: number | undefined;
  markRead(id: string): Promise<{ id: string; unread: number }>;
}

/** The events of one booking, while the component is mounted. Nothing is watched without an id. */
export function useBooking(bookingId: string | null | undefined, options?: { since?: number }): BookingView;

/**
 * The user's notifications, while the component is mounted and `enabled` (default true). `limit` is 100 by default and is
 * read when the stream starts.
 */
export function useNotifications(options?: { since?: number; limit?: number; enabled?: boolean }): NotificationsView;

/** The state of a stream, or of a shared connection. `secondsLeft` counts down to the next attempt while the stream waits. */
export function useConnection(stream: BookingStream | NotificationStream | RealtimeConnection | undefined): {
  state: ConnectionState;
  secondsLeft: number | undefined;
};

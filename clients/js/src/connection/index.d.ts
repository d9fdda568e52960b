import type {
  BookingStatus,
  BookingStatusEvent,
  BookingStream,
  ConnectionState,
  ErrorFrame,
  LiveLeft,
  LocationUpdate,
  NotificationStream,
  NotificationStreamOptions,
} from '../index.js';

/** The options of a stream; `since` belongs to each stream of the connection. */
type WithoutSince<Options> = Options extends unknown ? Omit<Options, 'since'> : never;
export type RealtimeConnectionOptions = WithoutSince<NotificationStreamOptions>;

export interface ChannelOptions {
  /** The seq of the last event processed; 0 asks for all events. Default: the stream begins with the snapshot. */
  since?: number;
}

export interface LiveOptions {
  /** West, south, east, north in degrees: bookings whose last location is in this box. Default: all. */
  bbox?: [west: number, south: number, east: number, north: number];
  /** The most locations of one booking in a second: 0.01 to 10, default 1. */
  maxRate?: number;
}

export interface LiveBooking {
  booking_id: string;
  seq: number;
  status: BookingStatus;
  location: LocationUpdate | null;
}

export interface LiveBookings {
  bookings: LiveBooking[];
  /** A new list begins: forget the bookings shown before. */
  first: boolean;
  /** The list is complete. */
  last: boolean;
}

export interface LiveStreamEvents {
  state: ConnectionState;
  /** Part of the list, after each subscription. */
  page: LiveBookings;
  /** A status event of a booking, later than its page; also the first one of a booking that enters. */
  status: BookingStatusEvent;
  location: LocationUpdate;
  /** A booking left the box, or was deleted. */
  left: LiveLeft;
  error: ErrorFrame;
}

/** The tracked bookings, for staff. Others get the state `closed` with the reason `forbidden`. */
export interface LiveStream {
  readonly state: ConnectionState;
  on<Type extends keyof LiveStreamEvents>(type: Type, listener: (event: LiveStreamEvents[Type]) => void): () => void;
  once<Type extends keyof LiveStreamEvents>(type: Type, listener: (event: LiveStreamEvents[Type]) => void): () => void;
  events<Type extends keyof LiveStreamEvents>(type: Type): AsyncGenerator<LiveStreamEvents[Type], void, undefined>;
  off<Type extends keyof LiveStreamEvents>(type: Type, listener: (event: LiveStreamEvents[Type]) => void): void;
  start(): this;
  stop(): void;
  pause(): void;
  resume(): void;
  /** Show another box. The pages come again. Throws a TypeError for a box or a rate that the server would reject. */
  watch(options: LiveOptions): this;
}

export interface RealtimeConnectionEvents {
  state: ConnectionState;
  /** Errors that are not about one stream. Each running stream gets them too. */
  error: ErrorFrame;
}

/**
 * One connection for many streams. It opens with the first stream that starts, and closes one second after the last one
 * has stopped. Its streams reconnect together, each with its own `since`.
 */
export class RealtimeConnection {
  constructor(options: RealtimeConnectionOptions);
  readonly state: ConnectionState;
  /** Return the stream of this booking, a new one if there is none. Call its `start()`. */
  booking(bookingId: string, options?: ChannelOptions): BookingStream;
  /** Return the stream of the notifications, a new one if there is none. Call its `start()`. */
  notifications(options?: ChannelOptions): NotificationStream;
  /** Return the stream of the tracked bookings, a new one if there is none. `options` change the box of a running one. */
  live(options?: LiveOptions): LiveStream;
  /** The server's time in milliseconds since 1970, for the age of a location. Before the first connection, this machine's. */
  serverNow(): number;
  on<Type extends keyof RealtimeConnectionEvents>(type: Type, listener: (event: RealtimeConnectionEvents[Type]) => void): () => void;
  once<Type extends keyof RealtimeConnectionEvents>(type: Type, listener: (event: RealtimeConnectionEvents[Type]) => void): () => void;
  events<Type extends keyof RealtimeConnectionEvents>(type: Type): AsyncGenerator<RealtimeConnectionEvents[Type], void, undefined>;
  off<Type extends keyof RealtimeConnectionEvents>(type: Type, listener: (event: RealtimeConnectionEvents[Type]) => void): void;
  /** Connect, and stay connected without a stream until `stop()`. Not needed otherwise. */
  start(): this;
  /** Disconnect, and close all streams as `stopped`. */
  stop(): void;
  /** Disconnect until `resume()`, for an application in the background. */
  pause(): void;
  resume(): void;
}

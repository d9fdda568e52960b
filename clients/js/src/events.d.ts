/** Every frame of the two WebSocket endpoints, as the server sends and accepts them. */

export type BookingStatus = 'requested' | 'confirmed' | 'on_the_way' | 'arrived' | 'completed' | 'cancelled';

/** RFC 3339, UTC, ending in `Z`. */
export type Timestamp = string;

export interface BookingStatusEvent {
  type: 'booking_status';
  /** 1, 2, 3 … per booking, without a gap. */
  seq: number;
  booking_id: string;
  status: BookingStatus;
  /** `booking_assigned` carries the status that the booking has; every other type is `booking_<status>`. */
  event_type: `booking_${BookingStatus}` | 'booking_assigned';
  /** The display name of who acted, `System` when no person did. */
  actor: string;
  timestamp: Timestamp;
  /** Present when the one who acted gave an estimate, at least 1. */
  eta_minutes?: number;
}

export interface LocationUpdate {
  type: 'location_update';
  booking_id: string;
  lat: number;
  lng: number;
  timestamp: Timestamp;
  actor: string;
  /** Present whenever one can be estimated, at least 1. */
  eta_minutes?: number;
}

interface Established {
  type: 'connection_established';
  message: string;
  /** The newest event number. */
  seq: number;
  /** How many events follow from `since`. */
  replay: number;
  heartbeat_seconds: number;
  /** When the token that this connection was made with ends. */
  expires_at: Timestamp;
  server_time: Timestamp;
}

export interface BookingSnapshot extends Established {
  booking_id: string;
  status: BookingStatus;
  /** The last known position while it may be seen. */
  location: LocationUpdate | null;
}

export interface NotificationsSnapshot extends Established {
  title: string;
  unread: number;
}

export interface NotificationEvent {
  type: 'notification';
  /** 1, 2, 3 … per user, without a gap. */
  seq: number;
  id: string;
  title: string;
  message: string;
  data: Record<string, unknown>;
  created_at: Timestamp;
}

/** The log cannot be replayed from `since`: read the state again, the stream goes on after `seq`. */
export interface ResyncRequired {
  type: 'resync_required';
  seq: number;
}

export interface Pong {
  type: 'pong';
}

export interface Authenticated {
  type: 'authenticated';
  expires_at: Timestamp;
}

export interface MarkedRead {
  type: 'marked_read';
  id: string;
  unread: number;
}

/** The server is draining and closes this socket. */
export interface Reconnect {
  type: 'reconnect';
  after_ms: number;
}

export interface ErrorFrame {
  type: 'error';
  /** `invalid_json`, `invalid_message`, `unknown_type`, `invalid_token`, `not_found`, `rate_limited`, … */
  code: string;
  message: string;
}

export type BookingFrame =
  | BookingSnapshot
  | BookingStatusEvent
  | LocationUpdate
  | ResyncRequired
  | Pong
  | Authenticated
  | Reconnect
  | ErrorFrame;

export type NotificationsFrame =
  | NotificationsSnapshot
  | NotificationEvent
  | MarkedRead
  | ResyncRequired
  | Pong
  | Authenticated
  | Reconnect
  | ErrorFrame;

export type ClientMessage =
  | { type: 'ping' }
  | { type: 'authenticate'; token: string }
  | { type: 'mark_read'; id: string };

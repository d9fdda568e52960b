import type {
  BookingSnapshot,
  BookingStatus,
  BookingStatusEvent,
  ErrorFrame,
  LocationUpdate,
  NotificationEvent,
  NotificationsSnapshot,
  ResyncRequired,
} from './events.js';

export type * from './events.js';

/**
 * What a stream is doing. `offline` is `reconnecting` (or a live socket that has to prove itself, then without `retryAt`)
 * while the device says that it has no network. Times are milliseconds since 1970.
 */
export type ConnectionState =
  | { name: 'idle' }
  | { name: 'connecting'; attempt: number }
  | { name: 'live' }
  | { name: 'reconnecting'; retryAt: number; attempt: number; code?: number }
  | { name: 'offline'; retryAt?: number; attempt?: number; code?: number }
  | { name: 'paused' }
  | { name: 'closed'; reason: CloseReason; code?: number; message?: string };

/**
 * `stopped`: by `stop()`. `unauthenticated`: no token to be had. `forbidden`: 4003. `not_found`: 4004.
 * `invalid_url`: the WebSocket constructor refused the address. `start()` may be called again after any of them.
 */
export type CloseReason = 'stopped' | 'unauthenticated' | 'forbidden' | 'not_found' | 'invalid_url';

type Nothing = null | undefined | '';
type Answer = string | Nothing;

/**
 * `refresh` is true when the token given last was refused or is about to expire: get a new one then, otherwise the
 * current one will do. Nothing means that nobody is signed in: the stream closes as `unauthenticated`. An exception
 * means that it may work later: the stream backs off and asks again.
 */
export type CredentialCallback = (need: { refresh: boolean }) => Answer | Promise<Answer>;

/** The part of the WebSocket interface that a stream uses. */
export interface WebSocketLike {
  readonly readyState: number;
  onmessage: ((event: any) => void) | null;
  onclose: ((event: any) => void) | null;
  onerror: ((event: any) => void) | null;
  send(data: string): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols?: string | string[]) => WebSocketLike;

/** The part of `fetch` that buying a ticket needs. */
export type FetchLike = (
  url: string,
  request: { method: string; headers: Record<string, string> },
) => Promise<{ ok: boolean; status: number; json(): Promise<any> }>;

interface EventTargetLike {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** What a stream takes from its host, each part replaceable (for tests and unusual hosts). */
export interface Environment {
  WebSocket: WebSocketConstructor;
  fetch: FetchLike;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  /** Milliseconds since 1970. */
  date(): number;
  /** Milliseconds, from any start, never set back. */
  clock(): number;
  /** 0 ≤ x < 1. */
  random(): number;
  /** For `visibilitychange`. */
  document: (EventTargetLike & { readonly visibilityState: string }) | undefined;
  /** For `onLine`. */
  navigator: { readonly onLine?: boolean } | undefined;
  /** For `online` and `offline`. */
  window: EventTargetLike | undefined;
}

interface CommonOptions {
  /** The server, `https://…` or `wss://…`, with a path prefix if it has one. In a browser, the page's origin if left out. */
  url?: string;
  /** The number of the last event processed; 0 asks for everything. Left out: the snapshot, then what is new. */
  since?: number;
  /** Where there is no global one (Node before 22). */
  WebSocket?: WebSocketConstructor;
  fetch?: FetchLike;
  /** Full jitter below a ceiling that doubles from `minMs` (1,000) to `maxMs` (30,000). */
  backoff?: { minMs?: number; maxMs?: number };
  /** Disconnect while the page is hidden: at once, or after so many milliseconds. Reconnects when it is visible. */
  pauseWhenHidden?: boolean | number;
  environment?: Partial<Environment>;
}

/** An access token, sent as WebSocket subprotocol, in the query, or traded for a single-use ticket per connection. */
interface TokenOptions {
  token: string | CredentialCallback;
  /** Buys a ticket from `POST /api/v1/realtime/tickets/` for every connection. */
  ticket?: boolean;
  /** `?token=`, for hosts without subprotocols: it may end up in logs. */
  tokenInQuery?: boolean;
}

/** Tickets from elsewhere; with a token callback as well, the open socket can be kept past the ticket's expiry. */
interface TicketOptions {
  ticket: CredentialCallback;
  token?: string | CredentialCallback;
}

type Options = CommonOptions & (TokenOptions | TicketOptions);

export type BookingStreamOptions = Options & { bookingId: string };
export type NotificationStreamOptions = Options;

interface CommonEvents {
  state: ConnectionState;
  /** Missed events cannot be replayed: read the state again. */
  resync: ResyncRequired;
  /** An error frame, or `code: 'credentials'` when a token or ticket could not be had. */
  error: ErrorFrame;
}

export interface BookingStreamEvents extends CommonEvents {
  /** On every connection. With `replay` above 0, so many status events follow that lead up to it. */
  snapshot: BookingSnapshot;
  /** Each exactly once, in order. */
  status: BookingStatusEvent;
  /** Never older than the one before; null when it may no longer be seen. */
  location: LocationUpdate | null;
}

export interface NotificationStreamEvents extends CommonEvents {
  snapshot: NotificationsSnapshot;
  /** Each exactly once, in order. */
  notification: NotificationEvent;
  /** The number of unread ones, when it changes. */
  unread: number;
}

declare abstract class RealtimeStream<Events> {
  readonly state: ConnectionState;
  /** The number of the last event handed over; undefined before the first snapshot of a stream without `since`. */
  readonly seq: number | undefined;
  /** Returns what takes the listener off again. */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
  start(): this;
  /** For good, until `start()`, which goes on from `seq`. */
  stop(): void;
  /** Disconnects until `resume()`: for an application in the background. */
  pause(): void;
  resume(): void;
}

/** One booking, live. */
export class BookingStream extends RealtimeStream<BookingStreamEvents> {
  constructor(options: BookingStreamOptions);
  /** The newest status known, also while older events are still being replayed. */
  readonly status: BookingStatus | undefined;
  readonly location: LocationUpdate | null;
}

/** The signed-in user's notifications, live. */
export class NotificationStream extends RealtimeStream<NotificationStreamEvents> {
  constructor(options: NotificationStreamOptions);
  readonly unread: number | undefined;
  /** Asked again after a reconnect until it is answered. Rejects with `code: 'not_found'`, or when the stream closes. */
  markRead(id: string): Promise<{ id: string; unread: number }>;
}

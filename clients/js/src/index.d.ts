import type {
  BookingSnapshot,
  BookingStatus,
  BookingStatusEvent,
  ErrorFrame,
  LocationAccepted,
  LocationUpdate,
  NotificationEvent,
  NotificationsSnapshot,
  Pace,
  ResyncRequired,
} from './events.js';

export type * from './events.js';

/**
 * The state of a stream's connection. `offline` means that the device reports no network: the stream either waits as in
 * `reconnecting`, or checks an open connection (then without `retryAt`). `retryAt` is in milliseconds since 1970.
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
 * Why a stream is closed. `stopped`: `stop()` was called. `unauthenticated`: nobody is signed in. `forbidden`: close code
 * 4003. `not_found`: 4004. `invalid_url`: the WebSocket constructor threw. After each of them `start()` may be called again.
 */
export type CloseReason = 'stopped' | 'unauthenticated' | 'forbidden' | 'not_found' | 'invalid_url';

type Nothing = null | undefined | '';
type Answer = string | Nothing;

/**
 * Returns a token or a ticket. `refresh` is true when the last token was rejected or is about to expire: return a new one.
 * Otherwise the current one is enough. An empty answer means that nobody is signed in: the stream closes as
 * `unauthenticated`. After an exception the stream backs off and asks again.
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

/** The part of `fetch` that a ticket request needs. */
export type FetchLike = (
  url: string,
  request: { method: string; headers: Record<string, string> },
) => Promise<{ ok: boolean; status: number; json(): Promise<any> }>;

interface EventTargetLike {
  addEventListener(type: string, listener: () => void): void;
  removeEventListener(type: string, listener: () => void): void;
}

/** The parts of the host that a stream uses. Each can be replaced, for tests and unusual hosts. */
export interface Environment {
  WebSocket: WebSocketConstructor;
  fetch: FetchLike;
  setTimeout(run: () => void, ms: number): unknown;
  clearTimeout(timer: any): void;
  /** Milliseconds since 1970. */
  date(): number;
  /** Milliseconds of a monotonic clock. */
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

/** Gets each change of `state`, each frame (`receive`), the type of each message (`send`), and each close code (`close`). */
export type DebugFunction = (entry: 'state' | 'receive' | 'send' | 'close', detail: unknown) => void;

interface CommonOptions {
  /** The server: `https://…` or `wss://…`, with its path prefix if it has one. Default in a browser: the page's origin. */
  url?: string;
  /** The seq of the last event processed; 0 asks for all events. Default: the stream begins with the snapshot. */
  since?: number;
  /** Needed where no global one exists (Node before 22). */
  WebSocket?: WebSocketConstructor;
  fetch?: FetchLike;
  /** Full jitter below a limit that doubles from `minMs` (1,000) to `maxMs` (30,000). */
  backoff?: { minMs?: number; maxMs?: number };
  /** Disconnect while the page is hidden: at once, or after this many milliseconds. A visible page reconnects. */
  pauseWhenHidden?: boolean | number;
  /** Log the connection: `true` for `console.debug`, or a function. Logged frames hold personal data, but no tokens. */
  debug?: boolean | DebugFunction;
  environment?: Partial<Environment>;
}

/** An access token: sent as a WebSocket subprotocol, sent in the query, or used to buy a ticket for each connection. */
interface TokenOptions {
  token: string | CredentialCallback;
  /** Buys a ticket from `POST /api/v1/realtime/tickets/` for every connection. */
  ticket?: boolean;
  /** Send `?token=`, for hosts without subprotocols. The token may appear in logs. */
  tokenInQuery?: boolean;
}

/** Tickets of the application's own. With a token callback too, an open connection outlives the ticket's expiry. */
interface TicketOptions {
  ticket: CredentialCallback;
  token?: string | CredentialCallback;
}

type Options = CommonOptions & (TokenOptions | TicketOptions);

export type BookingStreamOptions = Options & { bookingId: string };
export type NotificationStreamOptions = Options;

interface CommonEvents {
  state: ConnectionState;
  /** Missed events cannot be replayed: read the booking or the list over REST. */
  resync: ResyncRequired;
  /** An error frame of the server, or `code: 'credentials'` when the token or ticket callback failed. */
  error: ErrorFrame;
}

export interface BookingStreamEvents extends CommonEvents {
  /** The first frame of each connection. `replay` is the number of older status events that follow. */
  snapshot: BookingSnapshot;
  /** Each event exactly once, in order. */
  status: BookingStatusEvent;
  /** Never older than the last one; null when the location may no longer be seen. */
  location: LocationUpdate | null;
  /** What the server says to the worker, and error frames: `LocationSender` uses it. */
  frame: LocationAccepted | Pace | ErrorFrame;
}

export interface NotificationStreamEvents extends CommonEvents {
  snapshot: NotificationsSnapshot;
  /** Each event exactly once, in order. */
  notification: NotificationEvent;
  /** The number of unread notifications, after each change. */
  unread: number;
}

declare abstract class RealtimeStream<Events> {
  readonly state: ConnectionState;
  /** The seq of the last event given to the application; undefined before the first snapshot without `since`. */
  readonly seq: number | undefined;
  /** Add a listener. Returns a function that removes it. On a started stream, a `state` listener is called at once. */
  on<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  /** Add a listener for the next event only. Returns a function that removes it. */
  once<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): () => void;
  /** Iterate over the events of one type, from the first `next()` until the stream closes. Unread events are queued. */
  events<Type extends keyof Events>(type: Type): AsyncGenerator<Events[Type], void, undefined>;
  off<Type extends keyof Events>(type: Type, listener: (event: Events[Type]) => void): void;
  /** Connect. Throws a TypeError where the host has no `WebSocket`, or no page whose origin is the `url`. */
  start(): this;
  /** Disconnect. `start()` connects again and resumes after `seq`. */
  stop(): void;
  /** Disconnect until `resume()`, for an application in the background. */
  pause(): void;
  resume(): void;
}

/** The events of one booking. */
export class BookingStream extends RealtimeStream<BookingStreamEvents> {
  constructor(options: BookingStreamOptions);
  /** The newest known status, also while older events are replayed. */
  readonly status: BookingStatus | undefined;
  /** The last location, or null when there is none or it may no longer be seen. */
  readonly location: LocationUpdate | null;
}

/** The notifications of the signed-in user. */
export class NotificationStream extends RealtimeStream<NotificationStreamEvents> {
  constructor(options: NotificationStreamOptions);
  readonly unread: number | undefined;
  /** Mark as read. Sent again after a reconnect until the server answers. Rejects with `code: 'not_found'`, or when the stream closes. */
  markRead(id: string): Promise<{ id: string; unread: number }>;
}

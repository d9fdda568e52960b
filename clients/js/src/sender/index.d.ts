import type { BookingStream, CredentialCallback, Environment, Timestamp } from '../index.js';

/** A location of the device. `accuracy` is in metres, `heading` in degrees from north, `speed` in metres per second. */
export interface DeviceLocation {
  lat: number;
  lng: number;
  accuracy?: number | null;
  heading?: number | null;
  speed?: number | null;
  /** Milliseconds since 1970 by the device's clock. Default: now. */
  timestamp?: number;
}

/** A location as it is sent. */
export interface SentLocation {
  lat: number;
  lng: number;
  accuracy?: number;
  heading?: number;
  speed?: number;
}

/** The part of the browser's `Geolocation` that a sender uses. */
export interface GeolocationLike {
  watchPosition(success: (position: any) => void, error: (error: any) => void, options: { enableHighAccuracy: boolean; maximumAge: number }): any;
  clearWatch(id: any): void;
  getCurrentPosition?(success: (position: any) => void, error: (error: any) => void, options: object): void;
}

/**
 * `locating`: no location was accepted yet. `sharing`: the last location was accepted. `waiting`: the server cannot be
 * reached; the newest location is sent at `retryAt` (milliseconds since 1970) or when the network returns. `denied`: the
 * user or the browser denies access to locations. `unavailable`: the device gives no location.
 */
export type SenderState =
  | { name: 'idle' }
  | { name: 'locating' }
  | { name: 'sharing' }
  | { name: 'waiting'; retryAt: number }
  | { name: 'denied'; message?: string }
  | { name: 'unavailable'; message?: string }
  | { name: 'closed'; reason: SenderCloseReason; message?: string };

/**
 * `stopped`: `stop()` was called. `not_tracked`: the booking is over, or not yet confirmed. `not_allowed`: the booking has
 * another worker now. `unauthenticated`: nobody is signed in. After each of them `start()` may be called again.
 */
export type SenderCloseReason = 'stopped' | 'not_tracked' | 'not_allowed' | 'unauthenticated';

export interface AcceptedLocation {
  location: SentLocation;
  /** The time that the location counts as of. */
  timestamp: Timestamp;
  /** Milliseconds after which the next location is sent. */
  nextInMs: number;
  via: 'connection' | 'rest';
}

export interface SenderError {
  /** `network`, or the server's code. */
  code: string;
  message: string;
}

/** The part of `fetch` that a sender uses. */
export type SenderFetch = (
  url: string,
  request: { method: string; headers: Record<string, string>; body: string },
) => Promise<{ ok: boolean; status: number; headers?: { get(name: string): string | null }; json(): Promise<any> }>;

/** The parts of the host: those of a stream, and `navigator` with what gives locations and keeps the screen on. */
export interface SenderEnvironment extends Omit<Environment, 'fetch' | 'navigator'> {
  fetch: SenderFetch;
  navigator:
    | { readonly geolocation?: GeolocationLike; readonly wakeLock?: { request(type: 'screen'): Promise<any> }; readonly permissions?: { query(name: any): Promise<any> } }
    | undefined;
}

export interface LocationSenderOptions {
  bookingId: string;
  token: string | CredentialCallback;
  /** The booking's stream: locations go over its connection while it is live, over REST otherwise. */
  stream?: BookingStream | undefined;
  /** The server. Default in a browser: the page's origin. */
  url?: string;
  /** Where locations come from: default `navigator.geolocation`. `null`: only from `push()`. */
  geolocation?: GeolocationLike | null;
  /** Keep the screen on while sharing, where the browser can. Default true. */
  keepAwake?: boolean;
  fetch?: SenderFetch;
  environment?: Partial<SenderEnvironment>;
}

export interface LocationSenderEvents {
  state: SenderState;
  /** Each new location of the device, before it is sent. */
  location: SentLocation;
  accepted: AcceptedLocation;
  /** A location that was rejected, or a request that failed. The sender goes on. */
  error: SenderError;
  /** Whether the screen is kept on. */
  awake: boolean;
}

/** Sends the locations of one booking's worker, at the server's pace. Only the newest waits while the network is away. */
export class LocationSender {
  constructor(options: LocationSenderOptions);
  readonly state: SenderState;
  /** Milliseconds between two locations, as the server wants it now. */
  readonly nextInMs: number;
  /** Whether the screen is kept on. */
  readonly awake: boolean;
  /** May be changed at any time; undefined: REST only. */
  stream: BookingStream | undefined;
  on<Type extends keyof LocationSenderEvents>(type: Type, listener: (event: LocationSenderEvents[Type]) => void): () => void;
  once<Type extends keyof LocationSenderEvents>(type: Type, listener: (event: LocationSenderEvents[Type]) => void): () => void;
  off<Type extends keyof LocationSenderEvents>(type: Type, listener: (event: LocationSenderEvents[Type]) => void): void;
  /** Iterate over the events of one type until the sender is closed. */
  events<Type extends keyof LocationSenderEvents>(type: Type): AsyncGenerator<LocationSenderEvents[Type], void, undefined>;
  /** Begin to share. On a running sender: ask the device again, after `denied` or `unavailable`. */
  start(): this;
  stop(): void;
  /** Take a location of the application's own source. Throws a TypeError unless `lat` and `lng` are degrees. */
  push(location: DeviceLocation): void;
}

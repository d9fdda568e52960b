'use client';

/** React hooks for the streams. On a server that renders pages they return the initial values and connect nothing. */
import { createContext, createElement, useContext, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { BookingStream, NotificationStream } from '../index.js';

const IDLE = { name: 'idle' };
const MOST_NOTIFICATIONS = 100;

const Options = createContext(undefined);

/** How many hooks use a stream. Those of one shared connection have one stream for each channel. */
const uses = new WeakMap();

/** Give the options, or the connection, to all hooks below. Callbacks may be new functions at each render. */
export function RealtimeProvider({ children, ...options }) {
  const latest = useRef(options);
  useEffect(() => {
    latest.current = options;
  });
  const token = useLatest(latest, 'token', options.token);
  const ticket = useLatest(latest, 'ticket', options.ticket);
  const { connection, url, tokenInQuery, pauseWhenHidden, WebSocket, fetch, environment, debug } = options;
  const value = useMemo(
    () => ({ ...latest.current, connection, url, token, ticket, tokenInQuery, pauseWhenHidden, WebSocket, fetch, environment, debug }),
    [connection, url, token, ticket, tokenInQuery, pauseWhenHidden, WebSocket, fetch, environment, debug],
  );
  return createElement(Options.Provider, { value }, children);
}

/** Return one function that calls the newest one, so that all streams share it; other values as they are. */
function useLatest(latest, name, value) {
  const isFunction = typeof value === 'function';
  return useMemo(() => (isFunction ? (...given) => latest.current[name](...given) : value), [isFunction ? name : value, isFunction]);
}

/** The events of one booking. Without an id nothing is watched. */
export function useBooking(bookingId, { since } = {}) {
  return useStream(bookingId, BOOKING, (options) => bookingOf(options, bookingId, since), listenToBooking);
}

const bookingOf = ({ connection, ...options }, bookingId, since) =>
  connection?.booking(bookingId, { since }) ?? new BookingStream({ ...options, bookingId, since });

const BOOKING = { stream: undefined, connection: IDLE, status: undefined, location: null, events: [], seq: undefined, resyncs: 0, error: undefined };

function listenToBooking(stream, on, update) {
  const now = () => ({ status: stream.status, location: stream.location, seq: stream.seq });
  on('snapshot', () => update(now));
  on('status', (event) => update((view) => ({ ...now(), events: [...view.events, event] })));
  on('location', () => update(now));
  on('resync', () => update((view) => ({ ...now(), resyncs: view.resyncs + 1, events: [] })));
  return now;
}

/** The user's notifications, the newest first. */
export function useNotifications({ since, limit = MOST_NOTIFICATIONS, enabled = true } = {}) {
  const create = ({ connection, ...options }) => connection?.notifications({ since }) ?? new NotificationStream({ ...options, since });
  const view = useStream(enabled ? 'notifications' : undefined, NOTIFICATIONS, create, listenToNotifications(limit));
  const { stream } = view;
  const markRead = useMemo(() => (id) => (stream ? stream.markRead(id) : Promise.reject(new Error('not connected'))), [stream]);
  return { ...view, markRead };
}

const NOTIFICATIONS = { stream: undefined, connection: IDLE, notifications: [], unread: undefined, seq: undefined, resyncs: 0, error: undefined };

const listenToNotifications = (limit) => (stream, on, update) => {
  const now = () => ({ unread: stream.unread, seq: stream.seq });
  on('snapshot', () => update(now));
  on('unread', () => update(now));
  on('notification', (notification) =>
    update((view) => ({ ...now(), notifications: [notification, ...view.notifications].slice(0, limit) })),
  );
  on('resync', () => update((view) => ({ ...now(), resyncs: view.resyncs + 1, notifications: [] })));
  return now;
};

/** The state of a stream or of a shared connection, and the seconds until the next attempt while it waits. */
export function useConnection(stream) {
  const subscribe = useMemo(() => (changed) => stream?.on('state', changed) ?? (() => {}), [stream]);
  const state = useSyncExternalStore(subscribe, () => stream?.state ?? IDLE, () => IDLE);
  const { retryAt } = state;
  const [, renderAgain] = useState(0);
  useEffect(() => {
    if (retryAt === undefined) return undefined;
    const timer = setInterval(() => renderAgain(Date.now()), 1000);
    return () => clearInterval(timer);
  }, [retryAt]);
  const secondsLeft = retryAt === undefined ? undefined : Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  return { state, secondsLeft };
}

/** Run a stream while the component is mounted, and return what it has told so far. */
function useStream(key, initial, create, listen) {
  const options = useContext(Options);
  if (!options) throw new Error('RealtimeProvider is missing: put it around the components that use the hooks');
  const [view, setView] = useState(initial);
  const running = useMemo(() => ({}), [key, options]); // the identity of one run
  useEffect(() => {
    if (!key) return undefined;
    const stream = create(options);
    uses.set(stream, (uses.get(stream) ?? 0) + 1);
    const listeners = [];
    const on = (type, listener) => listeners.push(stream.on(type, listener));
    const update = (change) => setView((view) => ({ ...view, ...change(view) }));
    setView({ ...initial, running, stream });
    on('state', (connection) => update(() => ({ connection })));
    on('error', (error) => update(() => ({ error })));
    const now = listen(stream, on, update);
    if (stream.state.name !== 'idle') update(now); // another hook has started it
    stream.start();
    return () => {
      for (const remove of listeners) remove();
      uses.set(stream, uses.get(stream) - 1);
      if (!uses.get(stream)) stream.stop();
    };
  }, [running]);
  // After a change of the key, the first render must not show the last booking.
  const { running: shown, ...told } = view;
  return shown === running && key ? told : initial;
}

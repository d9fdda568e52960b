/** The hooks in React, with streams in a fake world. */
import assert from 'node:assert/strict';
import { after, afterEach, test } from 'node:test';
import { Window } from 'happy-dom';
import { act, Component, createElement, StrictMode } from 'react';
import { renderToString } from 'react-dom/server';
import { RealtimeConnection } from '../src/connection/index.js';
import { BookingStream } from '../src/index.js';
import { RealtimeProvider, useBooking, useConnection, useNotifications } from '../src/react/index.js';
import { bookingSnapshot, location, notification, notificationsSnapshot, statusEvent } from './support/streams.js';
import { FakeWorld, settle } from './support/world.js';

const window = new Window();
Object.assign(globalThis, { window, document: window.document, IS_REACT_ACT_ENVIRONMENT: true });
globalThis.navigator ??= window.navigator; // Node before 21 has none
after(() => window.happyDOM.close());
const { createRoot } = await import('react-dom/client');

const roots = [];
afterEach(async () => {
  for (const root of roots.splice(0)) await act(() => root.unmount());
});

/** Render a component that calls `hook`; `views` has what it returned at each render. */
async function mount(hook, { options = {}, props = {}, wrap = (element) => element } = {}) {
  const world = new FakeWorld();
  const { environment } = world;
  const views = [];
  const Probe = (given) => {
    views.push(hook(given));
    return null;
  };
  const root = createRoot(document.createElement('div'));
  roots.push(root);
  const show = (given, more = {}) =>
    act(async () => {
      const provided = { url: 'https://api.example.org', token: () => 'token', environment, ...options, ...more };
      root.render(wrap(createElement(RealtimeProvider, provided, createElement(Probe, given))));
      await settle();
    });
  const serve = (...frames) =>
    act(async () => {
      world.webSocket.open();
      for (const frame of frames) world.webSocket.frame(frame);
      await settle();
    });
  await show(props);
  return { world, root, show, serve, views, latest: () => views.at(-1) };
}

test('useBooking: connection, status, location and events, until the unmount', async () => {
  const { world, root, serve, views, latest } = await mount(() => useBooking('b', { since: 2 }));
  assert.equal(views[0].connection.name, 'idle');
  assert.equal(latest().connection.name, 'connecting');
  assert.equal(world.webSocket.query.get('since'), '2');
  await serve(bookingSnapshot(world, { seq: 3, replay: 1 }), statusEvent(3, 'confirmed'));
  assert.equal(latest().connection.name, 'live');
  await serve(statusEvent(4), location(world.timestamp(), { eta_minutes: 7 }));
  const { status, seq, events, location: shown, stream } = latest();
  assert.deepEqual([status, seq, shown.eta_minutes], ['on_the_way', 4, 7]);
  assert.deepEqual(events.map((event) => event.seq), [3, 4]);
  assert.ok(stream instanceof BookingStream);
  await serve({ type: 'error', code: 'unknown_type', message: 'no' });
  assert.equal(latest().error.code, 'unknown_type');
  await serve({ type: 'resync_required', seq: 9 });
  assert.deepEqual([latest().resyncs, latest().seq, latest().events], [1, 9, []]);
  const { webSocket } = world;
  await act(() => root.unmount());
  assert.ok(webSocket.closedByClient);
  assert.equal(stream.state.reason, 'stopped');
  assert.equal(world.timerCount, 0);
});

test('useBooking: another id never shows the last booking; no id watches nothing', async () => {
  const { world, show, serve, views, latest } = await mount(({ id }) => ({ id, ...useBooking(id) }), { props: { id: 'a' } });
  await serve(bookingSnapshot(world, { status: 'arrived' }));
  assert.equal(latest().status, 'arrived');
  const first = world.webSocket;
  await show({ id: 'b' });
  assert.ok(first.closedByClient);
  assert.ok(world.webSocket.url.includes('/bookings/b/'));
  await show({ id: null });
  assert.equal(latest().connection.name, 'idle');
  assert.equal(world.webSockets.length, 2);
  for (const { id, status } of views) if (id !== 'a') assert.equal(status, undefined);
});

test('a new render with new callbacks keeps the connection, and the newest callback is called', async () => {
  const { world, show, serve } = await mount(() => useBooking('b'), { options: { token: () => 'first' } });
  await serve(bookingSnapshot(world));
  await show({}, { token: () => 'second' });
  assert.equal(world.webSockets.length, 1);
  await act(async () => {
    world.webSocket.end(4001);
    await settle();
  });
  assert.deepEqual(world.webSocket.protocols, ['jwt', 'second']);
});

test('a new token string or url reconnects', async () => {
  const { world, show } = await mount(() => useBooking('b'), { options: { token: 'first' } });
  await show({}, { token: 'second' });
  assert.deepEqual(world.webSocket.protocols, ['jwt', 'second']);
  await show({}, { token: 'second', url: 'https://other.example.org' });
  assert.ok(world.webSocket.url.startsWith('wss://other.example.org/'));
  assert.equal(world.webSockets.length, 3);
});

test('two hooks share one answer of the token callback', async () => {
  let calls = 0;
  await mount(() => [useBooking('b'), useNotifications()], { options: { token: async () => `token-${++calls}` } });
  assert.equal(calls, 1);
});

test('useNotifications: the newest first, at most `limit`, unread and markRead', async () => {
  const { world, serve, latest } = await mount(() => useNotifications({ limit: 2 }));
  await serve(notificationsSnapshot(world));
  assert.equal(latest().unread, 2);
  await serve(notification(6), notification(7), notification(8));
  assert.deepEqual(latest().notifications.map(({ seq }) => seq), [8, 7]);
  assert.equal(latest().unread, 5);
  const { markRead } = latest();
  let answer;
  await act(async () => {
    const marked = markRead('n-8');
    world.webSocket.frame({ type: 'marked_read', id: 'n-8', unread: 4 });
    answer = await marked;
  });
  assert.deepEqual(answer, { id: 'n-8', unread: 4 });
  assert.equal(latest().unread, 4);
  assert.equal(latest().markRead, markRead);
});

test('useNotifications: not enabled, nothing is watched', async () => {
  const { world, latest } = await mount(() => useNotifications({ enabled: false }));
  assert.equal(world.webSockets.length, 0);
  await assert.rejects(latest().markRead('n'), /not connected/);
});

test('useConnection: every state, with the seconds left while it waits', async (t) => {
  t.mock.timers.enable({ apis: ['setInterval', 'Date'], now: 1000 });
  const listeners = new Set();
  const stream = { state: { name: 'live' }, on: (_, listener) => (listeners.add(listener), () => listeners.delete(listener)) };
  const become = (state) =>
    act(() => {
      stream.state = state;
      for (const listener of listeners) listener(state);
    });
  const { root, latest, show } = await mount(({ of }) => useConnection(of), { props: {} });
  assert.deepEqual(latest(), { state: { name: 'idle' }, secondsLeft: undefined });
  await show({ of: stream });
  assert.deepEqual(latest(), { state: { name: 'live' }, secondsLeft: undefined });
  await become({ name: 'reconnecting', retryAt: 4000, attempt: 1 });
  assert.equal(latest().secondsLeft, 3);
  await act(() => t.mock.timers.tick(1000));
  assert.equal(latest().secondsLeft, 2);
  await become({ name: 'live' });
  assert.equal(latest().secondsLeft, undefined);
  await act(() => root.unmount());
  assert.equal(listeners.size, 0);
});

test('StrictMode, which mounts twice, leaves one connection', async () => {
  const wrap = (element) => createElement(StrictMode, {}, element);
  const { world, serve, latest } = await mount(() => useBooking('b'), { wrap });
  assert.equal(world.webSockets.filter(({ closedByClient }) => !closedByClient).length, 1);
  await serve(bookingSnapshot(world));
  assert.equal(latest().status, 'confirmed');
});

/** Render hooks below a provider with a shared connection. */
async function mountShared(hook, { wrap } = {}) {
  const world = new FakeWorld();
  const connection = new RealtimeConnection({ url: 'https://api.example.org', token: () => 'token', environment: world.environment });
  const mounted = await mount((props) => hook(props, connection), { options: { connection, url: undefined, token: undefined }, wrap });
  const times = { heartbeat_seconds: 30, expires_at: world.timestamp(3_600_000), server_time: world.timestamp() };
  const serve = (...frames) =>
    act(async () => {
      for (const frame of frames) world.webSocket.frame(frame);
      await world.advance(0);
    });
  await act(async () => {
    world.webSocket.open();
    world.webSocket.frame({ type: 'connected', message: 'Connected', max_subscriptions: 20, ...times });
    await world.advance(0);
  });
  const requests = () => world.webSocket.sent.filter(({ type }) => type.endsWith('subscribe'));
  return { ...mounted, world, connection, serve, requests };
}

const ofBooking = (frame, booking_id) => ({ ...frame, booking_id });

test('hooks below a provider with a connection share it', async () => {
  const { world, root, serve, requests, latest } = await mountShared((props, connection) => ({
    a: useBooking('a', { since: 0 }),
    b: useBooking('b'),
    bell: useNotifications(),
    link: useConnection(connection),
  }));
  assert.equal(world.webSockets.length, 1);
  assert.equal(new URL(world.webSocket.url).pathname, '/ws/');
  assert.deepEqual(requests().map(({ channel, booking_ids, since }) => [channel, booking_ids, since]), [
    ['notifications', undefined, undefined],
    ['booking', ['a', 'b'], { a: 0 }],
  ]);
  await serve(
    bookingSnapshot(world, { booking_id: 'a', seq: 1, replay: 1 }),
    ofBooking(statusEvent(1, 'requested'), 'a'),
    bookingSnapshot(world, { booking_id: 'b', status: 'arrived' }),
    notificationsSnapshot(world, { channel: 'notifications' }),
  );
  const { a, b, bell, link } = latest();
  assert.deepEqual([a.seq, b.status, bell.unread], [1, 'arrived', 2]);
  assert.deepEqual(a.events.map(({ seq }) => seq), [1]);
  assert.equal(link.state.name, 'live');
  await act(() => root.unmount());
  await world.advance(1000);
  assert.ok(world.webSocket.closedByClient);
  assert.equal(world.timerCount, 0);
});

test('two hooks of one booking share a stream, which lives until the last of them is unmounted', async () => {
  const both = ({ first = true, second }) => ({ first: useBooking(first ? 'a' : null), second: useBooking(second ? 'a' : null) });
  const { world, show, serve, requests, latest } = await mountShared(both);
  await serve(bookingSnapshot(world, { booking_id: 'a', status: 'arrived' }));
  await show({ second: true });
  assert.deepEqual([latest().second.status, latest().second.connection.name, latest().second.seq], ['arrived', 'live', latest().first.seq]);
  await show({ first: false, second: true });
  await serve(ofBooking(statusEvent(4, 'completed'), 'a'));
  assert.deepEqual([latest().first.status, latest().second.status], [undefined, 'completed']);
  assert.deepEqual(requests().map(({ type }) => type), ['subscribe']);
  await show({ first: false });
  await world.advance(300);
  assert.deepEqual(requests().map(({ type }) => type), ['subscribe', 'unsubscribe']);
});

test('StrictMode, which mounts twice, leaves one subscription of a shared connection', async () => {
  const { world, serve, requests, latest } = await mountShared(() => useBooking('a'), { wrap: (element) => createElement(StrictMode, {}, element) });
  assert.equal(world.webSockets.filter(({ closedByClient }) => !closedByClient).length, 1);
  assert.deepEqual(requests().map(({ type }) => type), ['subscribe']);
  await serve(bookingSnapshot(world, { booking_id: 'a' }));
  assert.equal(latest().status, 'confirmed');
});

test('on a server: the initial values, and no connection', () => {
  const Probe = () => {
    const { connection, status, stream } = useBooking('b');
    const { notifications } = useNotifications();
    const { state } = useConnection(stream);
    return createElement('p', {}, JSON.stringify([connection.name, status ?? null, notifications, state.name]));
  };
  const html = renderToString(createElement(RealtimeProvider, { token: () => 'token' }, createElement(Probe)));
  assert.equal(html.replaceAll('&quot;', '"'), '<p>["idle",null,[],"idle"]</p>');
});

test('without a provider the hooks say what is missing; invalid options reach the error boundary', async (t) => {
  t.mock.method(console, 'error', () => {});
  const Probe = () => useBooking('b') && null;
  assert.throws(() => renderToString(createElement(Probe)), /RealtimeProvider is missing/);
  const caught = [];
  class Boundary extends Component {
    state = {};
    static getDerivedStateFromError = (error) => ({ error });
    componentDidCatch(error) {
      caught.push(error.message);
    }
    render() {
      return this.state.error ? null : this.props.children;
    }
  }
  await mount(() => useBooking('b'), { options: { token: undefined }, wrap: (element) => createElement(Boundary, {}, element) });
  assert.match(caught[0], /credentials are missing/);
});

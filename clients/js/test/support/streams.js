/** Streams in a fake world, with their events in `told`, and the frames that the tests use. */
import { BookingStream, NotificationStream } from '../../src/index.js';
import { FakeWorld, settle } from './world.js';

export const BOOKING = '7b0e3c52-6a8f-4d0a-9a53-1f2d0f6a4c11';
const TYPES = ['state', 'snapshot', 'status', 'location', 'resync', 'error', 'notification', 'unread'];

function record(stream) {
  const told = [];
  for (const type of TYPES) stream.on(type, (value) => told.push({ type, value }));
  told.of = (type) => told.filter((entry) => entry.type === type).map((entry) => entry.value);
  return told;
}

function inWorld(Stream, options) {
  const world = new FakeWorld();
  const asked = [];
  const token = async (need) => {
    asked.push(need);
    return `token-${asked.length}`;
  };
  const stream = new Stream({ url: 'https://api.example.org', token, environment: world.environment, ...options });
  return { world, stream, asked, told: record(stream) };
}

export const booking = (options, Stream = BookingStream) => inWorld(Stream, { bookingId: BOOKING, ...options });
export const notifications = (options) => inWorld(NotificationStream, options);

export const bookingSnapshot = (world, more) => ({
  type: 'connection_established',
  booking_id: BOOKING,
  message: 'Connected to booking updates',
  seq: 3,
  status: 'confirmed',
  location: null,
  replay: 0,
  heartbeat_seconds: 30,
  expires_at: world.timestamp(3_600_000),
  server_time: world.timestamp(),
  ...more,
});

export const notificationsSnapshot = (world, more) => ({
  type: 'connection_established',
  message: 'Connected to notifications',
  title: 'Notifications',
  seq: 5,
  unread: 2,
  replay: 0,
  heartbeat_seconds: 30,
  expires_at: world.timestamp(3_600_000),
  server_time: world.timestamp(),
  ...more,
});

export const statusEvent = (seq, status = 'on_the_way', more = {}) => ({
  type: 'booking_status',
  booking_id: BOOKING,
  seq,
  status,
  event_type: `booking_${status}`,
  actor: 'Asha',
  timestamp: '2026-01-03T11:00:00Z',
  ...more,
});

export const location = (timestamp, more = {}) => ({
  type: 'location_update',
  booking_id: BOOKING,
  lat: 28.6139,
  lng: 77.209,
  timestamp,
  actor: 'Ravi',
  ...more,
});

export const notification = (seq) => ({
  type: 'notification',
  seq,
  id: `n-${seq}`,
  title: 'Booking',
  message: `Number ${seq}`,
  data: {},
  created_at: '2026-01-03T11:00:00Z',
});

/** Accept the stream's newest connection with this snapshot. */
export async function accept(world, snapshot) {
  await settle();
  world.webSocket.open();
  world.webSocket.frame(snapshot);
  await settle();
  return world.webSocket;
}

/** Return a started booking stream that is live. */
export async function liveBooking(options, more) {
  const parts = booking(options);
  parts.stream.start();
  const webSocket = await accept(parts.world, bookingSnapshot(parts.world, more));
  return { ...parts, webSocket };
}

export async function liveNotifications(options, more) {
  const parts = notifications(options);
  parts.stream.start();
  const webSocket = await accept(parts.world, notificationsSnapshot(parts.world, more));
  return { ...parts, webSocket };
}

export { BookingStream } from './booking.js';
export { NotificationStream } from './notifications.js';

// The browser's own WebSocket, fetch, document, window and navigator fit.
import { BookingStream } from '@hunarmitra/realtime';

new BookingStream({
  bookingId: 'b',
  token: 't',
  WebSocket,
  fetch,
  environment: { WebSocket, fetch, document, window, navigator },
});

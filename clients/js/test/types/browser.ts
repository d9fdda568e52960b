// The browser's own WebSocket, fetch, document, window and navigator fit.
import { BookingStream } from '@hunarmitra/realtime';
import { LocationSender } from '@hunarmitra/realtime/sender';

new BookingStream({
  bookingId: 'b',
  token: 't',
  WebSocket,
  fetch,
  environment: { WebSocket, fetch, document, window, navigator },
});

new LocationSender({ bookingId: 'b', token: 't', fetch, geolocation: navigator.geolocation, environment: { fetch, document, window, navigator } });

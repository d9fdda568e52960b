// A CommonJS module gets the same types by require.
import realtime = require('@hunarmitra/realtime');

const stream: realtime.BookingStream = new realtime.BookingStream({ bookingId: 'b', token: 't' });
const status: realtime.BookingStatus | undefined = stream.status;
export = status;

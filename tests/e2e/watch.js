/**
 * Watches a booking with the JavaScript client and bought tickets, twice, and prints what it saw and what it must not
 * leave behind. Run by test_javascript.py in the client's folder; the environment says where the server is.
 */
import dns from 'node:dns';
import WebSocket from 'ws';
import { BookingStream } from './src/index.js';
import { Session } from './test/support/session.js';

const { BASE_URL, ADDRESS, HOST, LOGIN, BOOKING, UNTIL } = process.env;
const lookup = dns.lookup;
dns.lookup = (name, ...rest) => lookup(name === HOST ? ADDRESS : name, ...rest);

const session = await Session.signIn(BASE_URL, LOGIN);
const access = await session.token({ refresh: false });
const seqs = [];
let connections = 0;
const stream = new BookingStream({ url: BASE_URL, bookingId: BOOKING, token: session.token, ticket: true, since: 0, WebSocket });

await new Promise((resolve, reject) => {
  const complete = () => connections === 2 && seqs.at(-1) === Number(UNTIL) && resolve();
  stream.on('error', reject);
  stream.on('snapshot', () => {
    connections += 1;
    if (connections === 1) setImmediate(() => (stream.stop(), stream.start()));
    else setTimeout(complete, 200); // what would be replayed twice comes right after it
  });
  stream.on('status', ({ seq }) => {
    seqs.push(seq);
    complete();
  });
  stream.start();
});
stream.stop();
console.log(JSON.stringify({ seqs, connections, access }));
process.exit(0);

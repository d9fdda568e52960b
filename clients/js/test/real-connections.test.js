/** Real sockets: the client through the faulty proxy to a small WebSocket server that keeps the model's log. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { after, test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { BookingStream } from '../src/index.js';
import { startFaultyProxy } from './support/faulty-proxy.js';
import { ModelServer } from './support/model-server.js';
import { seeded } from './support/random.js';
import { recordStatuses } from './support/record.js';
import { BOOKING } from './support/streams.js';

const RUNS = 12;
const EVENTS = 80;

async function startServer() {
  const model = new ModelServer();
  const handshakes = [];
  const server = createServer((request, response) => {
    response.writeHead(201, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ ticket: `${request.method} ${request.url} ${request.headers.authorization}`, expires_in: 30 }));
  });
  const sockets = new WebSocketServer({ server, handleProtocols: () => 'jwt' });
  sockets.on('connection', (socket, request) => {
    const query = new URL(request.url, 'http://x').searchParams;
    handshakes.push({ protocol: socket.protocol, ticket: query.get('ticket') });
    const connection = { send: (frame) => socket.send(JSON.stringify(frame)) };
    socket.on('error', () => {});
    socket.on('close', () => model.connections.delete(connection));
    socket.on('message', (data) => connection.send(model.answer(JSON.parse(data))));
    for (const frame of model.join(query.get('since'))) connection.send(frame);
    model.connections.add(connection);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const stop = () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  };
  after(stop);
  return { model, handshakes, port: server.address().port };
}

test(`${RUNS} runs through the faulty proxy: exactly the server's log`, async () => {
  const faults = {};
  for (let seed = 1; seed <= RUNS; seed++) {
    const random = seeded(seed);
    const { model, port } = await startServer();
    const proxy = await startFaultyProxy({ port, seed, delayMs: [0, 4], stallMs: 20 });
    const stream = new BookingStream({
      url: `http://127.0.0.1:${proxy.port}`,
      bookingId: BOOKING,
      token: async () => 'a.b.c',
      ticket: seed % 2 === 0,
      since: 0,
      WebSocket,
      backoff: { minMs: 1, maxMs: 10 },
    });
    const { events, locations, reached } = recordStatuses(stream);
    stream.start();
    for (let event = 0; event < EVENTS; event++) {
      model.publish();
      model.move();
      // Every so often the client has to have caught up, so that the faults strike live connections too.
      if (random.chance(0.2)) await reached(random.whole(stream.seq, model.seq));
    }
    proxy.calm();
    await reached(model.seq);
    assert.deepEqual(events, model.log, `seed ${seed}`);
    const times = locations.map(({ timestamp }) => timestamp);
    assert.deepEqual(times, [...times].sort(), `seed ${seed}`);
    for (const [fault, count] of Object.entries(proxy.counts)) faults[fault] = (faults[fault] ?? 0) + count;
    stream.stop();
    await proxy.close();
  }
  assert.equal(Object.keys(faults).length, 5, JSON.stringify(faults));
});

test('the handshake on real connections: the subprotocol, or a ticket bought over HTTP', async () => {
  const { handshakes, port } = await startServer();
  for (const ticket of [false, true]) {
    const stream = new BookingStream({ url: `ws://127.0.0.1:${port}`, bookingId: BOOKING, token: 'a.b.c', ticket, WebSocket });
    const live = new Promise((resolve) => stream.on('state', ({ name }) => name === 'live' && resolve()));
    stream.start();
    await live;
    stream.stop();
  }
  assert.deepEqual(handshakes, [
    { protocol: 'jwt', ticket: null },
    { protocol: '', ticket: 'POST /api/v1/realtime/tickets/ Bearer a.b.c' },
  ]);
});

import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, test } from 'node:test';
import { startFaultyProxy } from './support/faulty-proxy.js';

const ONLY = { refuse: 0, drop: 0, halfCloseClient: 0, halfCloseServer: 0, stall: 0 };

/** A server that greets with 1,000 bytes and echoes; what its sockets saw is in `seen`. */
async function echoServer() {
  const seen = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    const events = [];
    seen.push(events);
    socket.on('error', () => events.push('error'));
    socket.on('end', () => {
      events.push('end');
      socket.end();
    });
    socket.on('close', () => events.push('close'));
    socket.write('x'.repeat(1000));
    socket.on('data', (bytes) => socket.writable && socket.write(bytes));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  after(() => server.close());
  return { port: server.address().port, seen };
}

async function through(options) {
  const server = await echoServer();
  const proxy = await startFaultyProxy({ port: server.port, delayMs: [0, 2], stallMs: 1000, ...options });
  after(() => proxy.close());
  const connect = (allowHalfOpen = false) => {
    const socket = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen });
    const got = { bytes: '', events: [] };
    socket.on('data', (bytes) => (got.bytes += bytes));
    socket.on('end', () => got.events.push('end'));
    socket.on('error', () => got.events.push('error'));
    const closed = new Promise((resolve) => socket.on('close', resolve));
    return { socket, got, closed };
  };
  return { server, proxy, connect };
}

async function until(condition) {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('without a fault all bytes arrive, late and in pieces', async () => {
  const { connect } = await through({ faults: ONLY });
  const { socket, got, closed } = connect();
  const text = Array.from({ length: 500 }, (_, i) => `line ${i}\n`).join('');
  socket.write(text);
  await until(() => got.bytes.length === 1000 + text.length);
  assert.equal(got.bytes.slice(1000), text);
  socket.end();
  await closed;
  assert.deepEqual(got.events, ['end']);
});

test('refuse: cut before a byte', async () => {
  const { connect } = await through({ faults: { refuse: 1 } });
  const { got, closed } = connect();
  await closed;
  assert.equal(got.bytes, '');
});

test('drop: a number of bytes, then cut', async () => {
  const { connect } = await through({ faults: { drop: 1 }, afterBytes: [400, 400] });
  const { got, closed } = connect();
  await closed;
  assert.ok(got.bytes.length <= 400);
});

test('half close towards the client: it can still send, and receives nothing', async () => {
  const { server, connect } = await through({ faults: { halfCloseClient: 1 }, afterBytes: [400, 400] });
  const { socket, got } = connect(true);
  await once(socket, 'end');
  assert.equal(got.bytes.length, 400);
  assert.deepEqual(server.seen[0], []);
  socket.write('still here');
  await until(() => server.seen[0].includes('close'));
  socket.destroy();
});

test('half close towards the server: it sees the end, and can still send', async () => {
  const { server, connect } = await through({ faults: { halfCloseServer: 1 }, afterBytes: [400, 400] });
  const { got, closed } = connect();
  await until(() => server.seen[0]?.includes('end'));
  await closed;
  assert.equal(got.bytes.length, 1000);
});

test('stall: no more bytes, then cut', async () => {
  const { connect } = await through({ faults: { stall: 1 }, afterBytes: [400, 400] });
  const { got, closed } = connect();
  await until(() => got.bytes.length === 400);
  assert.deepEqual(got.events, []);
  await closed;
  assert.equal(got.bytes.length, 400);
});

test('the same seed plans the same faults', async () => {
  const planned = [];
  for (const seed of [5, 5, 6]) {
    const { proxy, connect } = await through({ seed });
    for (let connections = 1; connections <= 30; connections++) {
      const { socket } = connect();
      await until(() => proxy.connections === connections);
      socket.destroy();
    }
    planned.push(proxy.counts);
  }
  assert.deepEqual(planned[0], planned[1]);
  assert.notDeepEqual(planned[0], planned[2]);
});

test('calm cuts connections with a fault; the others and later ones pass', async () => {
  const { proxy, connect } = await through({ faults: { drop: 1 }, afterBytes: [1_000_000, 1_000_000] });
  const faulty = connect();
  await until(() => faulty.got.bytes.length === 1000);
  proxy.calm();
  await faulty.closed;
  const good = connect();
  await until(() => good.got.bytes.length === 1000);
  proxy.cutAll();
  await good.closed;
});

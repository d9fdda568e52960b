/** The scenarios that all clients share, against a scripted server. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import WebSocket, { WebSocketServer } from 'ws';
import { BookingStream, NotificationStream } from '../src/index.js';

const folder = new URL('../../conformance/', import.meta.url);
const KINDS = { snapshot: 'seq', status: 'seq', notification: 'seq', resync: 'seq', error: 'code' };
const SECOND = 1000;

const inSeconds = (seconds) => new Date(Date.now() + seconds * SECOND).toISOString();

function snapshot({ expires_in: expiresIn = 3600, ...keys }) {
  const common = { type: 'connection_established', message: 'Connected', replay: 0, heartbeat_seconds: 30 };
  return { ...common, status: 'confirmed', location: null, expires_at: inSeconds(expiresIn), server_time: inSeconds(0), ...keys };
}

function frame({ timestamp_in: seconds, ...keys }) {
  return seconds === undefined ? keys : { ...keys, timestamp: inSeconds(seconds) };
}

/** Run the steps of one connection. */
async function serve(webSocket, steps, markRead) {
  const messages = [];
  let arrived = () => {};
  webSocket.on('message', (data) => {
    messages.push(JSON.parse(data));
    arrived();
  });
  const send = (value) => webSocket.send(JSON.stringify(value));
  for (const [step, value] of steps.flatMap(Object.entries)) {
    if (step === 'snapshot') send(snapshot(value));
    else if (step === 'send') send(frame(value));
    else if (step === 'text') webSocket.send(value);
    else if (step === 'close') webSocket.close(value);
    else if (step === 'cut') webSocket.terminate();
    else if (step === 'mark_read') markRead(value);
    else if (step === 'receive') {
      while (!messages.length) await new Promise((resolve) => (arrived = resolve));
      assert.deepEqual(messages.shift(), value);
    } else throw new Error(`unknown step: ${step}`);
  }
}

async function run(Stream, { since, tokens, connections, refreshes, events, state, seq }) {
  const told = [];
  const asked = [];
  let check = () => {};
  const tell = (...event) => {
    told.push(event);
    check();
  };
  let finished = 0;
  let fail;
  const failed = new Promise((_, reject) => (fail = reject));
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: () => 'jwt' });
  await once(server, 'listening');
  let count = 0;
  const stream = new Stream({
    url: `http://127.0.0.1:${server.address().port}`,
    bookingId: 'b',
    token: async ({ refresh }) => {
      asked.push(refresh);
      return tokens ? tokens[asked.length - 1] : `token-${asked.length}`;
    },
    since,
    WebSocket,
    backoff: { minMs: 1, maxMs: 5 },
  });
  const markRead = (id) => stream.markRead(id).then(({ unread }) => tell('marked', unread), ({ code }) => tell('mark_failed', code));
  server.on('connection', (webSocket, request) => {
    webSocket.on('error', () => {});
    const expected = connections[count++];
    (async () => {
      assert.ok(expected, 'one connection too many');
      assert.equal(new URL(request.url, 'http://x').searchParams.get('since'), expected.since);
      if (expected.token) assert.equal(request.headers['sec-websocket-protocol'].split(/, ?/)[1], expected.token);
      await serve(webSocket, expected.steps, markRead);
      finished++;
      check();
    })().catch(fail);
  });
  for (const [kind, key] of Object.entries(KINDS)) {
    stream.on(kind, (event) => event.code !== 'credentials' && tell(kind, event[key]));
  }
  stream.on('location', (location) => tell('location', location && location.lat));
  stream.on('unread', (unread) => tell('unread', unread));
  const complete = new Promise((resolve) => {
    check = () => finished === connections.length && told.length >= events.length && stream.state.name === state.name && resolve();
  });
  stream.on('state', () => check());
  stream.start();
  try {
    await Promise.race([complete, failed]);
    assert.deepEqual(told, events);
    for (const [key, value] of Object.entries(state)) assert.equal(stream.state[key], value, key);
    if (seq !== undefined) assert.equal(stream.seq, seq);
    if (refreshes) assert.deepEqual(asked, refreshes);
  } finally {
    stream.stop();
    for (const each of server.clients) each.terminate();
    server.close();
  }
}

// The folder is not part of the package.
for (const [name, Stream] of [['booking', BookingStream], ['notifications', NotificationStream]]) {
  const path = new URL(`${name}.json`, folder);
  const scenarios = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : [];
  for (const scenario of scenarios) test(`${name}: ${scenario.name}`, { timeout: 600_000 }, () => run(Stream, scenario));
}

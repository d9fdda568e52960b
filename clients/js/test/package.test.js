import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as client from '../src/index.js';
import { accept, booking, bookingSnapshot } from './support/streams.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const run = promisify(execFile);
const described = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

test('the package holds the modules, their types, the README, and nothing else', async () => {
  const { stdout } = await run('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: root });
  const [{ files }] = JSON.parse(stdout);
  assert.deepEqual(files.map(({ path }) => path).sort(), [
    'LICENSE',
    'README.md',
    'dist/connection.cjs',
    'dist/connection.d.cts',
    'dist/events.d.cts',
    'dist/index.cjs',
    'dist/index.d.cts',
    'dist/react.cjs',
    'dist/react.d.cts',
    'dist/sender.cjs',
    'dist/sender.d.cts',
    'package.json',
    'src/booking.js',
    'src/connection/channel.js',
    'src/connection/index.d.ts',
    'src/connection/index.js',
    'src/connection/live.js',
    'src/credentials.js',
    'src/emitter.js',
    'src/events.d.ts',
    'src/index.d.ts',
    'src/index.js',
    'src/notifications.js',
    'src/platform.js',
    'src/react/index.d.ts',
    'src/react/index.js',
    'src/sender/device.js',
    'src/sender/index.d.ts',
    'src/sender/index.js',
    'src/sender/screen.js',
    'src/stream.js',
  ]);
});

test('every file that package.json names exists, and there are no dependencies', () => {
  const paths = [described.exports['.'], described.exports['./react'], described.exports['./sender'], described.exports['./connection']].flatMap(Object.values).flatMap(({ types, default: main }) => [types, main]);
  for (const path of [...paths, described.types, described.main, described.module]) assert.ok(statSync(`${root}/${path}`).isFile());
  assert.equal(described.dependencies, undefined);
});

test('the module exports exactly the two classes that its types declare', () => {
  assert.deepEqual(Object.keys(client).sort(), ['BookingStream', 'NotificationStream']);
  const types = readFileSync(`${root}/src/index.d.ts`, 'utf8');
  assert.deepEqual([...types.matchAll(/^export class (\w+)/gm)].map(([, name]) => name).sort(), Object.keys(client).sort());
});

test('CommonJS: the same classes, with their own types', async () => {
  const required = createRequire(import.meta.url)('@hunarmitra/realtime');
  assert.deepEqual(Object.keys(required).sort(), Object.keys(client).sort());
  const { world, stream } = booking({}, required.BookingStream);
  stream.start();
  await accept(world, bookingSnapshot(world));
  assert.equal(stream.state.name, 'live');
  stream.stop();
});

test('the README\'s first command installs the package from a clone, for ESM and CommonJS', async () => {
  const [, command] = readFileSync(`${root}/README.md`, 'utf8').match(/```sh\n(.*)\n```/);
  const folder = mkdtempSync(join(tmpdir(), 'realtime-'));
  try {
    const clone = join(folder, 'hunarmitra/clients/js');
    // What Git keeps of this folder.
    const kept = (path) => !/\/(node_modules|dist)$/.test(path);
    cpSync(root, clone, { recursive: true, filter: kept });
    const app = join(folder, 'my-app');
    mkdirSync(app);
    await run('sh', ['-c', `${command} --no-audit --no-fund --offline`], { cwd: app });
    const list = 'console.log(Object.keys(client).sort().join())';
    const esm = await run(process.execPath, ['--input-type=module', '-e', `import * as client from '@hunarmitra/realtime'; ${list}`], { cwd: app });
    const commonJs = await run(process.execPath, ['-e', `const client = require('@hunarmitra/realtime'); ${list}`], { cwd: app });
    for (const { stdout } of [esm, commonJs]) assert.equal(stdout.trim(), Object.keys(client).sort().join());
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('the React entry: the same names for ESM and CommonJS, marked as client code', async () => {
  const required = createRequire(import.meta.url)('@hunarmitra/realtime/react');
  const imported = await import('@hunarmitra/realtime/react');
  const names = ['RealtimeProvider', 'useBooking', 'useConnection', 'useNotifications'];
  assert.deepEqual(Object.keys(required).sort(), names);
  assert.deepEqual(Object.keys(imported).sort(), names);
  for (const path of ['src/react/index.js', 'dist/react.cjs']) assert.ok(readFileSync(`${root}/${path}`, 'utf8').startsWith("'use client';\n"));
});

test('the sender\'s entry: the same class for ESM and CommonJS', async () => {
  const required = createRequire(import.meta.url)('@hunarmitra/realtime/sender');
  const imported = await import('@hunarmitra/realtime/sender');
  assert.deepEqual(Object.keys(required), ['LocationSender']);
  assert.deepEqual(Object.keys(imported), ['LocationSender']);
  const sender = new required.LocationSender({ url: 'https://api.example.org', bookingId: 'b', token: 't', geolocation: null });
  sender.start().push({ lat: 28.6, lng: 77.2 });
  assert.equal(sender.state.name, 'locating');
  sender.stop();
});

test('the connection\'s entry: the same class for ESM and CommonJS', async () => {
  const required = createRequire(import.meta.url)('@hunarmitra/realtime/connection');
  const imported = await import('@hunarmitra/realtime/connection');
  assert.deepEqual(Object.keys(required), ['RealtimeConnection']);
  assert.deepEqual(Object.keys(imported), ['RealtimeConnection']);
  const connection = new required.RealtimeConnection({ url: 'https://api.example.org', token: 't', WebSocket: class {} });
  connection.booking('b').start();
  assert.equal(connection.state.name, 'connecting');
  connection.stop();
});

test('the package is imported by its name', async () => {
  assert.equal((await import('@hunarmitra/realtime')).BookingStream, client.BookingStream);
});

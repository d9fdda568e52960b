import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import * as client from '../src/index.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const described = JSON.parse(readFileSync(`${root}/package.json`, 'utf8'));

test('the package holds the modules, their types, the README, and nothing else', async () => {
  const { stdout } = await promisify(execFile)('npm', ['pack', '--dry-run', '--json'], { cwd: root });
  const [{ files }] = JSON.parse(stdout);
  assert.deepEqual(files.map(({ path }) => path).sort(), [
    'LICENSE',
    'README.md',
    'package.json',
    'src/booking.js',
    'src/credentials.js',
    'src/emitter.js',
    'src/events.d.ts',
    'src/index.d.ts',
    'src/index.js',
    'src/notifications.js',
    'src/platform.js',
    'src/stream.js',
  ]);
});

test('every file that package.json names exists, and there are no dependencies', () => {
  const { types, default: main } = described.exports['.'];
  for (const path of [types, main, described.types, described.main]) assert.ok(statSync(`${root}/${path}`).isFile());
  assert.equal(described.dependencies, undefined);
});

test('the module exports exactly the two classes that its types declare', () => {
  assert.deepEqual(Object.keys(client).sort(), ['BookingStream', 'NotificationStream']);
  const types = readFileSync(`${root}/src/index.d.ts`, 'utf8');
  assert.deepEqual([...types.matchAll(/^export class (\w+)/gm)].map(([, name]) => name).sort(), Object.keys(client).sort());
});

test('the package is imported by its name', async () => {
  assert.equal((await import('@hunarmitra/realtime')).BookingStream, client.BookingStream);
});

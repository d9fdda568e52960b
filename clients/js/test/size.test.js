import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONNECTION_LIMIT_BYTES, LIMIT_BYTES, SENDER_LIMIT_BYTES, shippedSize } from './support/size.js';

test('the module, as shipped, is under 8 KB gzipped', () => {
  const { total } = shippedSize();
  assert.ok(total < LIMIT_BYTES, `${total} bytes`);
});

test('the sender, as shipped, is under 7 KB gzipped', () => {
  const { total } = shippedSize('sender/');
  assert.ok(total < SENDER_LIMIT_BYTES, `${total} bytes`);
});

test('the connection, as shipped, is under 6 KB gzipped', () => {
  const { total } = shippedSize('connection/');
  assert.ok(total < CONNECTION_LIMIT_BYTES, `${total} bytes`);
});

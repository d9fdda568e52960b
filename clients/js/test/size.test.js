import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIMIT_BYTES, shippedSize } from './support/size.js';

test('the module, as shipped, is under 8 KB gzipped', () => {
  const { total } = shippedSize();
  assert.ok(total < LIMIT_BYTES, `${total} bytes`);
});

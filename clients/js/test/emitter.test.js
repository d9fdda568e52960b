import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Emitter } from '../src/emitter.js';

test('listeners come and go', () => {
  const emitter = new Emitter();
  const heard = [];
  const listener = (value) => heard.push(value);
  const off = emitter.on('x', listener);
  emitter.on('x', listener); // the same one twice is one
  emitter._emit('x', 1);
  off();
  emitter._emit('x', 2);
  emitter.on('x', listener);
  emitter.off('x', listener);
  emitter.off('y', listener);
  emitter._emit('x', 3);
  assert.deepEqual(heard, [1]);
});

test('once: the next event, then never again; removable before', () => {
  const emitter = new Emitter();
  const heard = [];
  emitter.once('x', (value) => heard.push(value));
  const off = emitter.once('x', (value) => heard.push(-value));
  off();
  emitter._emit('x', 1);
  emitter._emit('x', 2);
  assert.deepEqual(heard, [1]);
});

test('a once listener may cause the next event', () => {
  const emitter = new Emitter();
  const heard = [];
  emitter.once('x', (value) => {
    heard.push(value);
    emitter._emit('x', value + 1);
  });
  emitter._emit('x', 1);
  assert.deepEqual(heard, [1]);
});

test('an exception in a listener is reported, and the others are called', async () => {
  const emitter = new Emitter();
  const heard = [];
  const reported = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  emitter.on('x', () => {
    throw new Error('mine');
  });
  emitter.on('x', (value) => heard.push(value));
  emitter._emit('x', 1);
  assert.deepEqual(heard, [1]);
  assert.equal((await reported).message, 'mine');
  process.setUncaughtExceptionCaptureCallback(null);
});

test('a listener added during an event gets the next one', () => {
  const emitter = new Emitter();
  const heard = [];
  emitter.on('x', (value) => emitter.on('x', () => heard.push(value)));
  emitter._emit('x', 1);
  assert.deepEqual(heard, []);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { boxToAsk, contains, covers, rateFor, rateToAsk, visibleBox } from '../page/dispatch/box.js';

const BOUNDS = { west: 77, south: 28, east: 78, north: 29 };
const FAR = { lat: 0, lng: 0 };

test('a box has a margin, so that a small move needs no new subscription', () => {
  const box = boxToAsk(undefined, BOUNDS, [FAR]);
  assert.deepEqual(box, [76.75, 27.75, 78.25, 29.25]);
  assert.equal(boxToAsk(box, { west: 77.2, south: 28.2, east: 78.2, north: 29.2 }, [FAR]), box);
  assert.notEqual(boxToAsk(box, { west: 77.3, south: 28, east: 78.3, north: 29 }, [FAR]), box);
});

test('after a zoom into it, a box is replaced by a smaller one', () => {
  const box = boxToAsk(undefined, BOUNDS, [FAR]);
  assert.deepEqual(boxToAsk(box, { west: 77.4, south: 28.4, east: 77.6, north: 28.6 }, [FAR]), [77.35, 28.35, 77.65, 28.65]);
});

test('while everything known is in view there is no box', () => {
  assert.equal(boxToAsk(undefined, BOUNDS, [{ lat: 28.5, lng: 77.5 }]), undefined);
  assert.equal(boxToAsk([1, 2, 3, 4], BOUNDS, []), undefined);
  assert.equal(boxToAsk([1, 2, 3, 4], { west: -200, south: -80, east: 200, north: 80 }, [FAR]), undefined);
});

test('boxes across the 180th meridian', () => {
  const box = visibleBox({ west: 170, south: -10, east: 190, north: 10 });
  assert.deepEqual(box, [170, -10, -170, 10]);
  assert.deepEqual([179, -175, 0, 169].map((lng) => contains(box, { lat: 0, lng })), [true, true, false, false]);
  assert.equal(covers(box, [175, -5, -175, 5]), true);
  assert.equal(covers(box, [165, -5, 175, 5]), false);
});

test('a box stays within what the server accepts', () => {
  assert.deepEqual(visibleBox({ west: -179.9, south: -89, east: 10, north: 89 }, 0.25), [132.625, -90, 57.475, 90]);
  assert.equal(visibleBox({ west: -400, south: 0, east: -20, north: 1 }), undefined);
});

test('no location is in no box', () => {
  assert.equal(contains([0, 0, 1, 1], null), false);
});

test('the rate falls with the number of bookings', () => {
  assert.deepEqual([0, 1000, 2000, 10_000].map(rateFor), [0.5, 0.5, 0.25, 0.1]);
});

test('a subscription keeps its rate until the number of bookings has changed much', () => {
  assert.deepEqual([1500, 2000].map((count) => rateToAsk(0.5, count)), [0.5, 0.25]);
  assert.deepEqual([2100, 1300, 900].map((count) => rateToAsk(0.25, count)), [0.25, 0.25, 0.5]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bookings } from '../page/dispatch/bookings.js';
import { matching, pageOf, pageWith, PER_PAGE } from '../page/dispatch/filter.js';
import { at, booking } from './support.js';

const bookings = new Bookings({ now: () => 0, onChange() {} });
bookings.read(booking('1', 1, 'confirmed', { service: 'Fan repair', worker: { id: 'w', name: 'Ravi Kumar' } }));
bookings.read(booking('2', 1, 'requested', { address: 'Block E, Connaught Place', created_at: at(9) }));
bookings.read(booking('3', 1, 'requested', { owner: { id: 'x', name: 'Änne Ö.' }, created_at: at(5) }));
bookings.read(booking('4', 1, 'on_the_way'));
const ids = (filter) => matching(bookings.all, filter).map(({ id }) => id);

test('what waits for a worker comes first, and the longest wait before all', () => {
  assert.deepEqual(ids(), ['3', '2', '4', '1']);
});

test('a status, and each word of a search in service, address, worker or customer', () => {
  assert.deepEqual(ids({ status: 'requested' }), ['3', '2']);
  assert.deepEqual(ids({ search: 'RAVI fan' }), ['1']);
  assert.deepEqual(ids({ search: ' place  connaught ' }), ['2']);
  assert.deepEqual(ids({ search: 'änne' }), ['3']);
  assert.deepEqual(ids({ search: 'verma', status: 'on_the_way' }), ['4']);
  assert.deepEqual(ids({ search: 'ravi tap' }), []);
});

test('pages of a long list: the last one is shown when the wanted one is gone', () => {
  const long = Array.from({ length: 2 * PER_PAGE + 1 }, (_, id) => ({ id }));
  assert.deepEqual(pageOf(long, 1).rows.length, PER_PAGE);
  const { rows, page, pages, from } = pageOf(long, 7);
  assert.deepEqual([rows.length, page, pages, from], [1, 2, 3, 2 * PER_PAGE]);
  assert.deepEqual(pageOf([], 3), { rows: [], page: 0, pages: 1, from: 0 });
  assert.deepEqual([pageWith(long, 0), pageWith(long, 2 * PER_PAGE), pageWith(long, 'x')], [0, 2, -1]);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Bookings, placeOf, STALE_MS } from '../page/dispatch/bookings.js';
import { booking, entry, location, status, T0 } from './support.js';

const BOX = [77, 28, 78, 29];

function begin() {
  const told = [];
  const clock = { now: T0 };
  const bookings = new Bookings({ now: () => clock.now, onChange: ({ id }, kind) => told.push(`${id} ${kind}`) });
  return { bookings, told, clock };
}

const page = (bookings, list, { first = true, last = true, box } = {}) => bookings.page({ bookings: list, first, last }, box);

test('the highest seq counts, whether it comes from a page, an event or REST', () => {
  const { bookings } = begin();
  page(bookings, [entry('a', 4, 'on_the_way')]);
  bookings.status(status('a', 3, 'confirmed'));
  assert.equal(bookings.get('a').status, 'on_the_way');
  bookings.status(status('a', 5, 'arrived'));
  bookings.read(booking('a', 4, 'on_the_way'));
  assert.deepEqual([bookings.get('a').status, bookings.get('a').details.seq], ['arrived', 4]);
  page(bookings, [entry('a', 4, 'on_the_way')]);
  assert.equal(bookings.get('a').status, 'arrived');
  bookings.read(booking('a', 6, 'arrived', { address: 'Block E' }));
  assert.equal(bookings.get('a').seq, 6);
  bookings.read(booking('a', 5, 'arrived'));
  assert.equal(bookings.get('a').details.address, 'Block E');
});

test('no status is lost when a booking ends, and it disappears unless it is selected', () => {
  const { bookings, told } = begin();
  page(bookings, [entry('a', 4, 'arrived', location('a', 28.5, 77.5)), entry('b', 4, 'arrived')]);
  bookings.keep('a');
  told.length = 0;
  bookings.status(status('a', 5, 'completed'));
  bookings.status(status('b', 5, 'cancelled'));
  assert.deepEqual(told, ['a state', 'b gone']);
  assert.deepEqual([bookings.get('a').status, bookings.get('a').location, bookings.size], ['completed', null, 1]);
  bookings.location(location('a', 28.6, 77.5));
  assert.equal(bookings.get('a').location, null);
  bookings.keep(undefined);
  assert.equal(bookings.size, 0);
});

test('an end that was read over REST is an end too', () => {
  const { bookings } = begin();
  page(bookings, [entry('a', 4, 'arrived')]);
  bookings.read(booking('a', 5, 'completed'));
  bookings.read(booking('b', 9, 'cancelled'));
  assert.equal(bookings.size, 0);
});

test('another worker begins without the location of the one before, and REST is asked for the name', () => {
  const { bookings } = begin();
  page(bookings, [entry('a', 4, 'on_the_way', location('a', 28.5, 77.5))]);
  bookings.read(booking('a', 4, 'on_the_way'));
  assert.equal(bookings.unsure.size, 0);
  bookings.status(status('a', 5, 'on_the_way', 'booking_assigned'));
  assert.equal(bookings.get('a').location, null);
  assert.deepEqual([...bookings.unsure], ['a']);
});

test('pages of another box keep what lies outside it, and ask REST for what is missing inside', () => {
  const { bookings } = begin();
  const list = [entry('inside', 1, 'on_the_way', location('inside', 28.5, 77.5)), entry('gone', 1, 'on_the_way', location('gone', 28.6, 77.5)),
    entry('outside', 1, 'on_the_way', location('outside', 20, 70)), entry('nowhere', 1, 'confirmed')];
  page(bookings, list);
  for (const { booking_id: id } of list) bookings.read(booking(id, 1, 'on_the_way'));
  bookings.page({ bookings: [list[0]], first: true, last: false }, BOX);
  assert.equal(bookings.size, 4, 'nothing disappears while pages come');
  bookings.page({ bookings: [], first: false, last: true }, BOX);
  assert.equal(bookings.size, 4);
  assert.deepEqual([...bookings.unsure], ['gone']);
  bookings.gone('gone');
  assert.equal(bookings.size, 3);
});

test('a booking that enters while the pages come is not missing', () => {
  const { bookings } = begin();
  page(bookings, [entry('a', 1, 'on_the_way')]);
  bookings.read(booking('a', 1, 'on_the_way'));
  bookings.page({ bookings: [], first: true, last: false });
  bookings.status(status('a', 2, 'arrived'));
  bookings.page({ bookings: [], first: false, last: true });
  assert.equal(bookings.get('a').live, true);
  assert.equal(bookings.unsure.size, 0);
});

test('a booking that left the box is asked for, and stays until REST says that it is over', () => {
  const { bookings } = begin();
  page(bookings, [entry('a', 1, 'on_the_way')]);
  bookings.read(booking('a', 1, 'on_the_way'));
  bookings.left({ booking_id: 'a' });
  assert.deepEqual([bookings.size, ...bookings.unsure], [1, 'a']);
  bookings.read(booking('a', 2, 'cancelled'));
  assert.equal(bookings.size, 0);
});

test('what a complete reading of REST did not have is asked for one by one', () => {
  const { bookings } = begin();
  for (const id of ['a', 'b']) bookings.read(booking(id, 1, 'requested'));
  bookings.missing(new Set(['a']));
  assert.deepEqual([...bookings.unsure], ['b']);
});

test('a location is old after a minute while a worker is expected to send', () => {
  const { bookings, clock } = begin();
  page(bookings, [entry('a', 1, 'on_the_way', location('a', 28.5, 77.5)), entry('b', 1, 'arrived', location('b', 28.5, 77.5)), entry('c', 1, 'on_the_way')]);
  const stale = () => ['a', 'b', 'c'].filter((id) => bookings.isStale(bookings.get(id)));
  clock.now += STALE_MS - 1;
  assert.deepEqual(stale(), []);
  clock.now += 1;
  assert.deepEqual(stale(), ['a']);
  bookings.location(location('a', 28.5, 77.5, STALE_MS / 1000));
  assert.deepEqual(stale(), []);
});

test('a phone whose clock is ahead does not look fresh for longer', () => {
  const { bookings, clock } = begin();
  page(bookings, [entry('a', 1, 'on_the_way', location('a', 28.5, 77.5, 3600))]);
  clock.now += STALE_MS;
  assert.equal(bookings.isStale(bookings.get('a')), true);
});

test('a vague location moves nothing', () => {
  const { bookings } = begin();
  page(bookings, [entry('a', 1, 'on_the_way', location('a', 28.5, 77.5))]);
  bookings.location(location('a', 20, 70, 1, { uncertain: true }));
  assert.deepEqual(placeOf(bookings.get('a')), [28.5, 77.5]);
});

test('without a location the marker is at the site, but not while the worker is on the way', () => {
  const { bookings } = begin();
  for (const name of ['requested', 'confirmed', 'on_the_way', 'arrived']) bookings.read(booking(name, 1, name));
  bookings.read(booking('unknown', 1, 'requested', { lat: null, lng: null }));
  assert.deepEqual(bookings.all.map((each) => placeOf(each)), [[28.63, 77.21], [28.63, 77.21], null, [28.63, 77.21], null]);
});

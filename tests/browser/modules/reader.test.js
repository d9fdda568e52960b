import assert from 'node:assert/strict';
import { mock, test } from 'node:test';
import { Bookings } from '../page/dispatch/bookings.js';
import { Reader } from '../page/dispatch/reader.js';
import { SteadyState } from '../page/dispatch/steady.js';
import { booking } from './support.js';

globalThis.document = { hidden: false };
globalThis.addEventListener = globalThis.removeEventListener = () => {};

/** A server with these bookings, and a reader of it that was started. */
async function begin(context, served, { perPage = 2 } = {}) {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout', 'Date'] });
  const asked = [];
  const told = [];
  const world = { served, failing: undefined };
  const session = {
    async get(path) {
      asked.push(path);
      if (world.failing) throw world.failing;
      const [, id] = path.match(/^bookings\/([^/?]+)\/$/) ?? [];
      if (id) {
        const found = world.served.find((each) => each.id === id);
        if (!found) throw Object.assign(new Error('no'), { status: 404 });
        return found;
      }
      const query = new URL(path, 'http://x').searchParams;
      const of = world.served.filter(({ status }) => status === query.get('status'));
      const from = Number(query.get('cursor'));
      return { results: of.slice(from, from + perPage), next: from + perPage < of.length ? `http://x/?cursor=${from + perPage}` : null };
    },
  };
  const bookings = new Bookings({ now: Date.now, onChange() {} });
  const reader = new Reader({ session, bookings, onDone: () => told.push('done'), onFail: ({ message }) => told.push(message) });
  context.after(() => {
    reader.stop();
    mock.timers.reset();
  });
  reader.start();
  await settle();
  /** Let this time pass, and return the requests meanwhile. */
  const pass = async (milliseconds) => {
    asked.length = told.length = 0;
    for (let left = milliseconds; left > 0; left -= 100) {
      mock.timers.tick(100);
      await settle();
    }
    return [...asked];
  };
  return { world, bookings, asked, told, pass };
}

async function settle() {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve();
}

const list = (status, cursor = '') => `bookings/?status=${status}&page_size=100&cursor=${cursor}`;
const ALL = ['requested', 'confirmed', 'on_the_way', 'arrived'];

test('all lists are read page by page, in the order in which a booking goes through them', async (context) => {
  const { bookings, asked, told } = await begin(context, [booking('a', 1, 'requested'), booking('b', 1, 'on_the_way'), booking('c', 1, 'on_the_way'), booking('d', 1, 'on_the_way')]);
  assert.deepEqual(asked, [list('requested'), list('confirmed'), list('on_the_way'), list('on_the_way', 2), list('arrived')]);
  assert.deepEqual([bookings.size, told], [4, ['done']]);
});

test('bookings without a worker are read every 15 seconds, and all every 30', async (context) => {
  const { pass } = await begin(context, []);
  assert.deepEqual(await pass(14_700), []);
  assert.deepEqual(await pass(300), [list('requested')]);
  assert.deepEqual(await pass(15_000), ALL.map((status) => list(status)));
});

test('many bookings are read less often', async (context) => {
  const { pass } = await begin(context, Array.from({ length: 24 }, (_, id) => booking(String(id), 1, 'arrived')));
  assert.deepEqual(await pass(44_700), [list('requested'), list('requested')]);
  assert.equal((await pass(300)).length, 15);
});

test('a single booking is read, and one that is not there any more disappears', async (context) => {
  const { bookings, world, pass } = await begin(context, [booking('a', 1, 'arrived'), booking('b', 1, 'arrived')]);
  world.served = [booking('a', 2, 'completed')];
  bookings.left({ booking_id: 'a' });
  bookings.left({ booking_id: 'b' });
  assert.deepEqual(await pass(300), ['bookings/a/', 'bookings/b/']);
  assert.equal(bookings.size, 0);
});

test('after a failure everything is read again until it succeeds', async (context) => {
  const { world, told, pass } = await begin(context, []);
  world.failing = new Error('away');
  await pass(15_000);
  assert.deepEqual(told, ['away']);
  await pass(2000);
  assert.deepEqual(told, ['away']);
  world.failing = undefined;
  assert.equal((await pass(4000)).length, 4);
  assert.deepEqual(told, ['done']);
  assert.deepEqual(await pass(10_000), []);
});

test('while the box changes the state stays live, and a lost connection is told', () => {
  const listeners = [];
  const stream = {
    state: { name: 'live' },
    on: (_, listener) => listeners.push(listener),
    become(name) {
      this.state = { name };
      for (const listener of listeners) listener(this.state);
    },
    watch() {
      this.become('connecting');
    },
  };
  const steady = new SteadyState(stream);
  steady.watch({});
  assert.equal(steady.state.name, 'live');
  stream.become('live');
  stream.become('connecting');
  assert.equal(steady.state.name, 'connecting');
  stream.become('live');
  steady.watch({});
  stream.become('reconnecting');
  stream.become('connecting');
  assert.equal(steady.state.name, 'connecting');
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, liveNotifications, notification, notifications, notificationsSnapshot } from './support/streams.js';
import { settle } from './support/world.js';

test('each notification once and in order, and the number of unread ones', async () => {
  const { stream, told, webSocket } = await liveNotifications();
  webSocket.frame(notification(6));
  webSocket.frame(notification(6));
  webSocket.frame(notification(7));
  assert.deepEqual(told.of('notification').map(({ id }) => id), ['n-6', 'n-7']);
  assert.deepEqual(told.of('unread'), [2, 3, 4]);
  assert.equal(stream.unread, 4);
  assert.equal(stream.seq, 7);
});

test('replayed notifications are already counted in the snapshot', async () => {
  const { world, stream, told } = notifications({ since: 3 });
  stream.start();
  const webSocket = await accept(world, notificationsSnapshot(world, { replay: 2 }));
  assert.equal(webSocket.url, 'wss://api.example.org/ws/notifications/?since=3');
  webSocket.frame(notification(4));
  webSocket.frame(notification(5));
  assert.equal(stream.unread, 2);
  webSocket.frame(notification(6));
  assert.deepEqual(told.of('unread'), [2, 3]);
});

test('an unchanged unread number is not told again', async () => {
  const { world, told, webSocket } = await liveNotifications();
  webSocket.end(1006);
  await world.advance(500);
  await accept(world, notificationsSnapshot(world));
  assert.deepEqual(told.of('unread'), [2]);
});

test('a gap makes it reconnect with since', async () => {
  const { world, told, webSocket } = await liveNotifications();
  webSocket.frame(notification(8));
  await settle();
  assert.deepEqual(told.of('notification'), []);
  assert.equal(world.webSocket.query.get('since'), '5');
});

test('markRead: sent, answered, counted', async () => {
  const { stream, webSocket } = await liveNotifications();
  const answer = stream.markRead('n-1');
  assert.deepEqual(webSocket.sent, [{ type: 'mark_read', id: 'n-1' }]);
  webSocket.frame({ type: 'marked_read', id: 'n-1', unread: 1 });
  assert.deepEqual(await answer, { id: 'n-1', unread: 1 });
  assert.equal(stream.unread, 1);
});

test('markRead of an unknown id is rejected, and the next one goes on', async () => {
  const { world, stream, webSocket } = await liveNotifications();
  const unknown = stream.markRead('x');
  const known = stream.markRead('n-1');
  webSocket.frame({ type: 'error', code: 'not_found', message: 'No such notification' });
  await assert.rejects(unknown, { message: 'No such notification', code: 'not_found' });
  await world.advance(150);
  webSocket.frame({ type: 'marked_read', id: 'n-1', unread: 1 });
  await known;
});

test('frames that answer another message do not settle markRead', async () => {
  const { world, stream, webSocket } = await liveNotifications();
  const answer = stream.markRead('n-1');
  webSocket.frame({ type: 'error', code: 'invalid_token', message: '' });
  webSocket.frame({ type: 'error', code: 'rate_limited', message: '' });
  webSocket.frame({ type: 'marked_read', id: 'n-9', unread: 2 }); // another page of the user's, perhaps
  webSocket.frame({ type: 'marked_read', id: 'n-1', unread: 1 });
  assert.deepEqual(await answer, { id: 'n-1', unread: 1 });
  const next = stream.markRead('n-2'); // waits for its turn
  webSocket.frame({ type: 'error', code: 'invalid_message', message: 'for nobody' });
  webSocket.frame({ type: 'marked_read', id: 'n-9', unread: 0 });
  assert.equal(stream.unread, 0);
  await world.advance(150);
  webSocket.frame({ type: 'marked_read', id: 'n-2', unread: 0 });
  await next;
});

test('many at once stay below the server\'s message limit', async () => {
  const { world, stream, webSocket } = await liveNotifications();
  const answers = Array.from({ length: 20 }, (_, i) => stream.markRead(`n-${i}`));
  for (let sent = 1; sent <= 20; sent++) {
    assert.equal(webSocket.sentOf('mark_read').length, sent);
    webSocket.frame({ type: 'marked_read', id: `n-${sent - 1}`, unread: 0 });
    await world.advance(149);
    assert.equal(webSocket.sentOf('mark_read').length, sent);
    await world.advance(1);
  }
  assert.equal((await Promise.all(answers)).length, 20);
});

test('an unanswered request is sent again after a reconnect, an unsent one waits for the connection', async () => {
  const { world, stream, webSocket } = await liveNotifications();
  const first = stream.markRead('n-1');
  webSocket.end(1006);
  const second = stream.markRead('n-2');
  await world.advance(500);
  const next = await accept(world, notificationsSnapshot(world));
  assert.deepEqual(next.sent, [{ type: 'mark_read', id: 'n-1' }]);
  next.frame({ type: 'marked_read', id: 'n-1', unread: 1 });
  next.end(1006);
  await first;
  await world.advance(2000);
  const last = await accept(world, notificationsSnapshot(world));
  assert.deepEqual(last.sent, [{ type: 'mark_read', id: 'n-2' }]);
  last.frame({ type: 'marked_read', id: 'n-2', unread: 0 });
  await second;
});

test('before start it waits, after the end it rejects', async () => {
  const { world, stream } = notifications();
  const early = stream.markRead('n-1');
  stream.start();
  const webSocket = await accept(world, notificationsSnapshot(world));
  assert.equal(webSocket.sentOf('mark_read').length, 1);
  stream.stop();
  await assert.rejects(early, /closed/);
  await assert.rejects(stream.markRead('n-2'), /closed/);
});

/** The bell: the number of unread notifications, the newest ones, and a toast when one arrives. */
import { NotificationStream } from '../realtime/index.js';
import { announce, fill, h, say } from './dom.js';
import { moment } from './formats.js';
import { t } from './languages.js';
import { notificationWords } from './words.js';

const TOAST_MS = 7000;
const MOST_SHOWN = 50;
const MOST_COUNTED = 99;

export class Bell {
  #session;
  #shown = new Map(); // id → notification, newest first when listed
  #listeners = new Set();
  #count = h('span', { class: 'badge', id: 'unread', hidden: true });
  #label = h('span', { class: 'hidden' }, t('notifications.title'));
  #button = h('button', { type: 'button', class: 'bell', 'aria-expanded': 'false', 'aria-controls': 'notifications', onclick: () => this.#toggle() },
    h('span', { class: 'bell-icon', 'aria-hidden': 'true' }), this.#label, this.#count);
  #list = h('ul', { class: 'notifications' });
  #readAll = h('button', { type: 'button', class: 'quiet', onclick: () => this.#markAllRead() }, t('notifications.readAll'));
  #panel = h('section', { class: 'panel', id: 'notifications', 'aria-label': t('notifications.title'), hidden: true },
    h('header', {}, h('h2', {}, t('notifications.title')), this.#readAll), this.#list);
  element = h('div', { class: 'bell-place', onkeydown: (event) => event.key === 'Escape' && this.#close(true) }, this.#button, this.#panel);
  stream;

  constructor(session) {
    this.#session = session;
  }

  /** Read the list, then receive everything after it, so that nothing is missing between the two. */
  async start() {
    document.addEventListener('pointerdown', this.#outside);
    const since = await this.#read();
    if (!this.element.isConnected) return;
    this.stream = new NotificationStream({ token: this.#session.token, since });
    this.stream.on('notification', (notification) => this.#arrived(notification));
    this.stream.on('unread', (unread) => this.#showUnread(unread));
    this.stream.on('resync', () => void this.#read());
    this.stream.start();
  }

  stop() {
    document.removeEventListener('pointerdown', this.#outside);
    this.#listeners.clear();
    this.stream?.stop();
  }

  /** Call back at each new notification. Returns the function that ends it. */
  onArrival(listener) {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Read the list. Returns the newest seq, undefined after a failure. */
  async #read() {
    try {
      const { results } = await this.#session.get('notifications/');
      for (const notification of results) this.#shown.set(notification.id, notification);
      this.#render();
      return results[0]?.seq ?? 0;
    } catch {
      return undefined; // the stream then begins with what is new
    }
  }

  #arrived(notification) {
    this.#shown.set(notification.id, { ...notification, read_at: null });
    this.#render();
    // A user who watches the booking sees and hears it there.
    if (!location.hash.endsWith(`/${notification.data?.booking_id}`)) toast(notification);
    for (const listener of this.#listeners) listener(notification);
  }

  #showUnread(unread) {
    this.#count.hidden = !unread;
    this.#count.textContent = unread > MOST_COUNTED ? t('notifications.most', { count: MOST_COUNTED }) : String(unread);
    say(this.#label, t(unread ? 'notifications.unread' : 'notifications.title'));
    this.#readAll.hidden = !unread;
  }

  #render() {
    const newest = [...this.#shown.values()].sort((one, other) => other.seq - one.seq).slice(0, MOST_SHOWN);
    fill(this.#list, newest.length ? newest.map((each) => this.#item(each)) : h('li', { class: 'empty' }, t('notifications.none')));
  }

  #item(notification) {
    const { id, created_at: at, read_at: readAt, data } = notification;
    const { title, message } = notificationWords(notification);
    const heading = data?.booking_id ? h('a', { href: `#/bookings/${data.booking_id}`, onclick: () => this.#close() }, title) : title;
    const read = h('button', { type: 'button', class: 'quiet', onclick: () => this.#markRead(id) }, t('notifications.read'), h('span', { class: 'hidden' }, t('notifications.readOne', { title, time: moment(at) })));
    return h('li', { class: readAt ? '' : 'unread', 'data-id': id },
      h('p', { class: 'title', dir: 'auto' }, heading),
      h('p', { dir: 'auto' }, message),
      h('p', { class: 'foot' }, h('time', { datetime: at }, moment(at)), readAt ? null : read));
  }

  async #markRead(id) {
    try {
      await this.stream.markRead(id);
      this.#shown.set(id, { ...this.#shown.get(id), read_at: new Date().toISOString() });
      this.#render();
      (this.#list.querySelector('button') ?? this.#button).focus();
    } catch (error) {
      announce(error.message);
    }
  }

  async #markAllRead() {
    try {
      await this.#session.patch('notifications/mark_all_read/');
    } catch (error) {
      announce(error.message);
      return;
    }
    for (const [id, each] of this.#shown) this.#shown.set(id, { ...each, read_at: each.read_at ?? new Date().toISOString() });
    this.#render();
    this.#button.focus();
    // A new connection brings the new count.
    this.stream.pause();
    this.stream.resume();
  }

  #toggle() {
    if (!this.#panel.hidden) return this.#close();
    this.#panel.hidden = false;
    this.#button.setAttribute('aria-expanded', 'true');
  }

  #close(focus = false) {
    if (this.#panel.hidden) return;
    this.#panel.hidden = true;
    this.#button.setAttribute('aria-expanded', 'false');
    if (focus) this.#button.focus();
  }

  #outside = (event) => {
    if (!this.element.contains(event.target)) this.#close();
  };
}

function toast(notification) {
  const { title, message } = notificationWords(notification);
  const place = document.getElementById('toasts');
  const element = h('div', { class: 'toast' }, h('p', { class: 'title', dir: 'auto' }, title), h('p', { dir: 'auto' }, message));
  place.replaceChildren(element);
  setTimeout(() => element.remove(), TOAST_MS);
}

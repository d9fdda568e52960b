import { RealtimeStream } from './stream.js';

/** Milliseconds between two messages: the server disconnects a client that sends more than 10 a second. */
const PACE_MS = 150;
/** Errors that do not answer `mark_read`. */
const UNRELATED = ['invalid_token', 'rate_limited'];

/** The user's notifications, each once and in order, and the number of unread ones. */
export const notificationsOf = (Base) => class NotificationStream extends Base {
  #unread;
  #marking = []; // requests without an answer
  #sent = false; // whether the first of them was sent
  #pacing = false;

  constructor(options) {
    super('/ws/notifications/', 'notification', options);
  }

  get unread() {
    return this.#unread;
  }

  /** Mark as read: idempotent, so sent again after a reconnect until it is answered. */
  markRead(id) {
    if (this.state.name === 'closed') return Promise.reject(new Error('the stream is closed'));
    return new Promise((resolve, reject) => {
      this.#marking.push({ id, resolve, reject });
      this.#markNext();
    });
  }

  _established(snapshot) {
    this._emit('snapshot', snapshot);
    this.#count(snapshot.unread);
    this.#sent = this.#pacing = false;
    this.#markNext();
  }

  _event(notification, fresh) {
    this._emit('notification', notification);
    if (fresh) this.#count(this.#unread + 1);
  }

  _frame({ type, id, unread, code, message }) {
    if (type === 'marked_read') {
      this.#count(unread);
      if (this.#sent && id === this.#marking[0].id) this.#answered().resolve({ id, unread });
    } else if (type === 'error' && this.#sent && !UNRELATED.includes(code)) {
      this.#answered().reject(Object.assign(new Error(message), { code }));
    }
  }

  _ended() {
    for (const { reject } of this.#marking.splice(0)) reject(new Error('the stream is closed'));
  }

  #answered() {
    this.#sent = false;
    this.#pacing = true;
    this._after('mark', PACE_MS, () => {
      this.#pacing = false;
      this.#markNext();
    });
    return this.#marking.shift();
  }

  #markNext() {
    if (!this.#sent && !this.#pacing && this.#marking.length) this.#sent = this._send({ type: 'mark_read', id: this.#marking[0].id });
  }

  #count(unread) {
    if (unread === this.#unread) return;
    this.#unread = unread;
    this._emit('unread', unread);
  }
};

export const NotificationStream = notificationsOf(RealtimeStream);

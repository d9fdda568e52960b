import { RealtimeStream } from './stream.js';

/** Between two messages, in milliseconds: the server closes a socket that sends more than 10 a second. */
const PACE_MS = 150;
/** Errors that answer another message than `mark_read`. */
const UNRELATED = ['invalid_token', 'rate_limited'];

/** The user's notifications, live: each once and in order, and how many are unread. */
export class NotificationStream extends RealtimeStream {
  #unread;
  #marking = []; // asked for and not answered
  #sent = false; // the first of them
  #pacing = false;

  constructor(options) {
    super('/ws/notifications/', 'notification', options);
  }

  get unread() {
    return this.#unread;
  }

  /** Asked again after a reconnect until the server has answered; asking twice does no harm. */
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

  _frame(frame) {
    const [first] = this.#marking;
    if (frame.type === 'marked_read') {
      this.#count(frame.unread);
      if (this.#sent && frame.id === first.id) this.#answered().resolve({ id: frame.id, unread: frame.unread });
    } else if (frame.type === 'error' && this.#sent && !UNRELATED.includes(frame.code)) {
      this.#answered().reject(Object.assign(new Error(frame.message), { code: frame.code }));
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
}

/** The state of a stream's connection as text. */
import { everySecond } from './clock.js';
import { announce, h, say } from './dom.js';
import { has, t } from './languages.js';

const seconds = (at) => Math.max(1, Math.ceil((at - Date.now()) / 1000));

/** `[tone, words]`. */
export function connectionWords(state) {
  switch (state.name) {
    case 'live':
      return ['good', t('connection.live')];
    case 'connecting':
      return ['busy', t('connection.connecting')];
    case 'reconnecting':
      return ['busy', t('connection.reconnecting', { seconds: seconds(state.retryAt) })];
    case 'offline':
      return ['bad', state.retryAt === undefined ? t('connection.offline') : t('connection.offlineUntil', { seconds: seconds(state.retryAt) })];
    case 'closed':
      return ['bad', has(`connection.closed.${state.reason}`) ? t(`connection.closed.${state.reason}`) : t('connection.closed')];
    default:
      return ['busy', t('connection.paused')];
  }
}

/** The pill in the page's bar. It shows one stream at a time. */
export class ConnectionPill {
  #words = h('span');
  element = h('p', { class: 'pill', id: 'connection', 'data-tone': 'busy' }, h('span', { class: 'dot', 'aria-hidden': 'true' }), this.#words);
  #stream;
  #off = () => {};
  #wasLive = false;

  show(stream) {
    this.#off();
    this.#stream = stream;
    this.#wasLive = false;
    this.element.hidden = !stream;
    if (!stream) return;
    const offs = [stream.on('state', () => this.#update()), everySecond(() => this.#update())];
    this.#off = () => offs.forEach((off) => off());
  }

  #update() {
    const { state } = this.#stream;
    const [tone, words] = connectionWords(state);
    this.element.dataset.tone = tone;
    this.element.dataset.state = state.name;
    say(this.#words, words);
    // An immediate reconnect and the countdown are not announced: they would interrupt too often.
    const live = state.name === 'live';
    if (live && this.#wasLive === 'lost') announce(t('connection.said.live'));
    if (!live && this.#wasLive === true && state.name !== 'connecting') {
      announce(state.name === 'closed' ? t('connection.said.closed', { state: words }) : t('connection.said.lost'));
      this.#wasLive = 'lost';
    }
    if (live) this.#wasLive = true;
  }
}

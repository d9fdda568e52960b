/** The state of a stream's connection as text. */
import { everySecond } from './clock.js';
import { announce, h, say } from './dom.js';

const seconds = (at) => Math.max(1, Math.ceil((at - Date.now()) / 1000));

/** `[tone, words]`. */
export function connectionWords(state) {
  switch (state.name) {
    case 'live':
      return ['good', 'Live'];
    case 'connecting':
      return ['busy', 'Connecting…'];
    case 'reconnecting':
      return ['busy', `Reconnecting in ${seconds(state.retryAt)} s`];
    case 'offline':
      return ['bad', state.retryAt === undefined ? 'Offline' : `Offline, trying again in ${seconds(state.retryAt)} s`];
    case 'closed':
      return ['bad', { forbidden: 'No longer shared with you', not_found: 'Not found', unauthenticated: 'Signed out' }[state.reason] ?? 'Disconnected'];
    default:
      return ['busy', 'Paused'];
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
    if (live && this.#wasLive === 'lost') announce('Live again.');
    if (!live && this.#wasLive === true && state.name !== 'connecting') {
      announce(state.name === 'closed' ? `${words}.` : 'The connection is lost. Reconnecting.');
      this.#wasLive = 'lost';
    }
    if (live) this.#wasLive = true;
  }
}

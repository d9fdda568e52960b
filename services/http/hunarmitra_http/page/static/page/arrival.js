/** The customer's alert at the worker's arrival, by the browser's notifications where they are allowed. */
import { h, say } from './dom.js';
import { language, t } from './languages.js';

const WAITING = ['requested', 'confirmed', 'on_the_way'];

export class ArrivalAlert {
  #button = h('button', { type: 'button', class: 'secondary', onclick: () => void this.#ask() }, t('arrival.offer'));
  #note = h('p', { class: 'foot', role: 'status' });
  element = h('div', { class: 'arrival', hidden: true }, this.#button, this.#note);

  show({ status }) {
    const { permission } = globalThis.Notification ?? {};
    const waiting = WAITING.includes(status);
    this.element.hidden = !waiting || !permission;
    this.#button.hidden = permission !== 'default';
    if (waiting && permission && permission !== 'default') say(this.#note, t(`arrival.${permission}`));
  }

  tell(words, { id, service }) {
    if (globalThis.Notification?.permission !== 'granted') return;
    const options = { body: service, tag: `arrived-${id}`, lang: language, dir: 'auto', icon: new URL('icon.svg', import.meta.url).href };
    void notify(words, options);
  }

  async #ask() {
    await Notification.requestPermission();
    this.show({ status: WAITING[0] });
  }
}

/** Phones allow notifications of a service worker only, and it shows none before it is active. */
async function notify(words, options) {
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) await (await navigator.serviceWorker.ready).showNotification(words, options);
  else new Notification(words, options);
}

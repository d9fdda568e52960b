/** The customer is told of the worker's arrival by a notification of the browser, where that is allowed. */
import { h, say } from './dom.js';
import { language, t } from './languages.js';

const WAITING = ['requested', 'confirmed', 'on_the_way'];

/** In the view of a booking: the button that asks for the permission, or what it is. */
export class ArrivalOffer {
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

  async #ask() {
    await Notification.requestPermission();
    this.show({ status: WAITING[0] });
  }
}

/** Tell of each arrival that the bell hears of, in whatever view. */
export function tellOfArrivals(bell, me) {
  if (me.role === 'worker') return; // who arrives
  bell.onArrival(({ data }) => {
    if (data?.event_type !== 'booking_arrived' || globalThis.Notification?.permission !== 'granted') return;
    const words = t('headline.arrived', { worker: data.worker ?? t('headline.theWorker') });
    void notify(words, { body: data.service, tag: `arrived-${data.booking_id}`, lang: language, dir: 'auto', icon: new URL('icon.svg', import.meta.url).href });
  });
}

/** Phones allow notifications of a service worker only, and it shows none before it is active. */
async function notify(words, options) {
  const worker = await navigator.serviceWorker?.getRegistration();
  if (worker) await (await navigator.serviceWorker.ready).showNotification(words, options);
  else new Notification(words, options);
}

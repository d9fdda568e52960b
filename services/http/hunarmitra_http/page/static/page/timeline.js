/** The events of a booking, and the statuses still to come. */
import { fill, h } from './dom.js';
import { moment } from './formats.js';
import { t } from './languages.js';
import { eventWords, FINAL, PATH, statusWords } from './words.js';

export class Timeline {
  element = h('ol', { class: 'timeline', id: 'timeline' });
  #events = new Map(); // seq → event

  add(event) {
    this.#events.set(event.seq, event);
    this.#render();
  }

  /** Replace the shown events by the log. */
  replace(events) {
    this.#events = new Map(events.map((event) => [event.seq, event]));
    this.#render();
  }

  #render() {
    const events = [...this.#events.values()].sort((one, other) => one.seq - other.seq);
    const status = events.at(-1)?.status;
    const ahead = !status || FINAL.includes(status) ? [] : PATH.slice(PATH.indexOf(status) + 1);
    fill(this.element,
      events.map((event, index) => happened(event, index === events.length - 1)),
      ahead.map((each) => h('li', { class: 'ahead' }, h('p', { class: 'title' }, statusWords(each), ' ', h('span', { class: 'hidden' }, t('booking.toCome'))))));
  }
}

function happened(event, last) {
  const { seq, status, actor, timestamp } = event;
  const marks = last && !FINAL.includes(status) ? 'happened current' : 'happened';
  return h('li', { class: marks, 'data-seq': seq, 'data-status': status, 'aria-current': last ? 'step' : null },
    h('p', { class: 'title' }, eventWords(event)),
    h('p', { class: 'foot' }, h('time', { datetime: timestamp }, moment(timestamp)), ' · ', h('span', { dir: 'auto' }, actor)));
}

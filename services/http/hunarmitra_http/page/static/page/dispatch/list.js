/** The bookings beside the map, a page of them at a time. Each row is a button that opens its details below it. */
import { fill, h, say } from '../dom.js';
import { ago } from '../formats.js';
import { t } from '../languages.js';
import { statusWords } from '../words.js';
import { placeOf } from './bookings.js';
import { pageOf, pageWith } from './filter.js';
import { icon } from './shapes.js';

export class BookingList {
  element = h('ul', { class: 'dispatch-list', id: 'dispatch-list' });
  #range = h('p', { class: 'foot', id: 'dispatch-range' });
  #before = h('button', { type: 'button', class: 'secondary', onclick: () => this.#turn(-1) }, t('dispatch.before'));
  #after = h('button', { type: 'button', class: 'secondary', onclick: () => this.#turn(1) }, t('dispatch.after'));
  pager = h('nav', { class: 'pager', 'aria-label': t('dispatch.pages') }, this.#before, this.#range, this.#after);
  #rows = new Map(); // id → row, of the bookings shown
  #entries = [];
  #page = 0;
  #selected;
  #details; // the element below the selected row
  #age;
  #onSelect;

  /** `onSelect(id)`: a row was pressed. `age(entry)`: `{milliseconds, stale}` of its location, or undefined. */
  constructor({ onSelect, age }) {
    this.#onSelect = onSelect;
    this.#age = age;
  }

  /** Show these entries, at the present page. */
  show(entries) {
    this.#entries = entries;
    const { rows, page, pages, from } = pageOf(entries, this.#page);
    this.#page = page;
    const known = this.#rows;
    this.#rows = new Map(rows.map((entry) => [entry.id, known.get(entry.id) ?? new Row(entry.id, this.#onSelect)]));
    for (const entry of rows) this.#rows.get(entry.id).show(entry, this.#age(entry), entry.id === this.#selected && this.#details);
    arrange(this.element, [...this.#rows.values()].map((row) => row.element));
    say(this.#range, t('dispatch.range', { from: from + 1, to: from + rows.length, count: entries.length }));
    this.pager.hidden = pages === 1;
    this.#before.disabled = page === 0;
    this.#after.disabled = page === pages - 1;
  }

  /** Show how old the locations are now. */
  tick(entries) {
    for (const [id, row] of this.#rows) {
      const entry = entries.get(id);
      if (entry) row.tell(entry, this.#age(entry));
    }
  }

  /** Open the row of this booking, on its page, with these details below; none without an id. */
  select(id, details) {
    this.#selected = id;
    this.#details = details;
    const page = pageWith(this.#entries, id);
    if (page >= 0) this.#page = page;
    this.show(this.#entries);
  }

  /** Bring the row of a booking into view. */
  reveal(id) {
    this.#rows.get(id)?.element.scrollIntoView({ block: 'nearest' });
  }

  /** Begin at the first page. */
  rewind() {
    this.#page = 0;
  }

  #turn(by) {
    this.#page += by;
    this.show(this.#entries);
    this.element.querySelector('button')?.focus();
  }
}

class Row {
  #id;
  #shape = h('span', { class: 'shape-place' });
  #drawn;
  #service = h('strong', { dir: 'auto' });
  #status = h('span', { class: 'entry-status' });
  #address = h('span', { class: 'foot', dir: 'auto' });
  #people = h('span', { class: 'foot', dir: 'auto' });
  #seen = h('span', { class: 'foot entry-seen' });
  #button;
  element;

  constructor(id, onSelect) {
    this.#id = id;
    this.#button = h('button', { type: 'button', class: 'entry-button', 'aria-expanded': 'false', onclick: () => onSelect(id) },
      this.#shape,
      h('span', { class: 'entry-words' }, h('span', { class: 'line' }, this.#service, this.#status), this.#address, this.#people, this.#seen));
    this.element = h('li', { class: 'card entry', 'data-id': id }, this.#button);
  }

  show(entry, age, details) {
    const { status, details: known } = entry;
    say(this.#service, known?.service ?? t('dispatch.unread'));
    say(this.#status, statusWords(status));
    say(this.#address, known ? known.address || t('bookings.noAddress') : this.#id);
    say(this.#people, known ? [known.worker?.name ?? t('bookings.noWorker'), known.owner.name].join(' · ') : '');
    this.element.dataset.status = status;
    this.element.classList.toggle('selected', Boolean(details));
    this.#button.setAttribute('aria-expanded', String(Boolean(details)));
    const shown = this.#button.nextElementSibling;
    if (shown !== (details || null)) {
      shown?.remove();
      if (details) this.element.append(details);
    }
    this.tell(entry, age);
  }

  tell(entry, age) {
    const { status } = entry;
    const stale = Boolean(age?.stale);
    this.#seen.hidden = !age && Boolean(placeOf(entry));
    say(this.#seen, age ? t(stale ? 'booking.lastSeen' : 'booking.seen', { ago: ago(age.milliseconds) }) : t('dispatch.nowhere'));
    this.element.classList.toggle('stale', stale);
    const drawn = `${status} ${stale}`;
    if (drawn === this.#drawn) return;
    this.#drawn = drawn;
    fill(this.#shape, icon(status, stale));
  }
}

/** Make these the children of an element, and move only those that are in another place: the focus stays. */
function arrange(parent, children) {
  const wanted = new Set(children);
  const focused = document.activeElement;
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, index) => {
    if (parent.children[index] !== child) parent.insertBefore(child, parent.children[index] ?? null);
  });
  if (parent.contains(focused) && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

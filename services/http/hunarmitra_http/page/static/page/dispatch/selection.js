/** What the list shows below the selected booking: its details, a link to its view, and the form that assigns a worker. */
import { fill, h } from '../dom.js';
import { t } from '../languages.js';
import { FINAL } from '../words.js';
import { detailRows } from '../details.js';
import { assignForm } from '../views/assign.js';
import { driveButton } from '../views/drive.js';

export class Selection {
  #app;
  #onAssigned;
  #problem = h('p', { class: 'foot' });
  #rows = h('dl', { class: 'details' });
  #controls = h('div', { class: 'controls' });
  #assign;
  #drive;
  #entry;
  #closed = false;

  constructor(app, entry, onAssigned) {
    this.#app = app;
    this.#onAssigned = onAssigned;
    this.#entry = entry;
    this.element = h('div', { class: 'selection' }, this.#problem, this.#rows,
      h('p', {}, h('a', { href: `#/bookings/${entry.id}` }, t('dispatch.open'))), this.#controls);
    this.show(entry, true);
  }

  /** `placed`: whether the booking has a marker. */
  show(entry, placed) {
    this.#entry = entry;
    const over = FINAL.includes(entry.status);
    const words = over ? t('dispatch.over') : placed ? '' : t('dispatch.nowhere');
    this.#problem.hidden = !words;
    if (this.#problem.textContent !== words) this.#problem.textContent = words;
    if (!entry.details) return;
    const booking = { ...entry.details, status: entry.status };
    fill(this.#rows, detailRows(booking));
    if (!over) this.#assign ??= assignForm(this.#app.session, booking, this.#onAssigned);
    this.#assign?.show(booking);
    if (this.#assign) this.#assign.element.hidden = over;
    void this.#showDrive(booking);
  }

  close() {
    this.#closed = true;
    void this.#drive?.then((drive) => drive?.close());
  }

  async #showDrive(booking) {
    if (this.#app.configuration.demo) this.#drive ??= driveButton(this.#app, booking, () => this.#entry.location);
    const drive = await this.#drive;
    if (this.#closed) return;
    drive?.show(booking);
    const wanted = [drive?.element, this.#assign?.element].filter(Boolean);
    if (wanted.some((element) => element.parentNode !== this.#controls)) fill(this.#controls, wanted);
  }
}

/** The bookings that the user may see, newest first, with a filter by status. */
import { fill, h } from '../dom.js';
import { moment } from '../formats.js';
import { t } from '../languages.js';
import { retrying } from '../retry.js';
import { STATUSES, statusWords } from '../words.js';

const listTitle = (me) => t(me.role === 'admin' ? 'bookings.all' : 'bookings.yours');

/** The link from another view to this one. */
export const backLink = (me) => h('p', {}, h('a', { class: 'back', href: '#/' }, listTitle(me)));

export function bookingsView({ session, me, bell }) {
  const list = h('ul', { class: 'bookings', id: 'bookings' });
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const more = h('button', { type: 'button', class: 'secondary', hidden: true, onclick: () => load(page + 1) }, t('bookings.more'));
  const filter = h('select', { id: 'status', onchange: () => load(1) },
    h('option', { value: '' }, t('bookings.everyStatus')), STATUSES.map((value) => h('option', { value }, statusWords(value))));
  const shown = new Map(); // id → {booking, row}
  let page = 1;
  let asked = 0;
  let failed; // the page to load again
  let retry;

  async function load(wanted) {
    const question = ++asked;
    list.setAttribute('aria-busy', 'true');
    try {
      const { results, next } = await session.get(`bookings/?page=${wanted}${filter.value && `&status=${filter.value}`}`);
      if (question !== asked) return false;
      page = wanted;
      retry?.end();
      retry = undefined;
      problem.hidden = true;
      more.hidden = !next;
      if (wanted === 1) {
        shown.clear();
        fill(list, results.length ? null : nothing());
      }
      results.forEach(put);
      return true;
    } catch (error) {
      if (question !== asked) return false;
      fill(problem, error.message, ' ', h('button', { type: 'button', class: 'quiet', onclick: () => load(wanted) }, t('waiting.again')));
      problem.hidden = false;
      failed = wanted;
      retry ??= retrying(() => load(failed), bell.stream);
      return false;
    } finally {
      if (question === asked) list.removeAttribute('aria-busy');
    }
  }

  /** Show a booking in its place: the newest first. Rows that stay are not touched, so that nothing scrolls. */
  function put(booking) {
    const before = shown.get(booking.id);
    if (before && before.booking.seq > booking.seq) return;
    if (filter.value && booking.status !== filter.value) {
      before?.row.remove();
      shown.delete(booking.id);
      if (!shown.size) fill(list, nothing());
      return;
    }
    const row = item(booking);
    shown.set(booking.id, { booking, row });
    if (before) {
      const focused = before.row.contains(document.activeElement);
      before.row.replaceWith(row);
      if (focused) row.querySelector('a').focus({ preventScroll: true });
      return;
    }
    list.querySelector('.empty')?.remove();
    const older = [...shown.values()].filter((each) => each.booking.created_at < booking.created_at && each.row.isConnected);
    const next = older.sort((one, other) => (one.booking.created_at < other.booking.created_at ? 1 : -1))[0];
    list.insertBefore(row, next?.row ?? null);
  }

  /** Read again the booking that a notification is about. */
  async function refresh({ data }) {
    if (!data?.booking_id) return;
    try {
      put(await session.get(`bookings/${data.booking_id}/`));
    } catch {
      // Gone, or no network: the next load shows it.
    }
  }

  const nothing = () => h('li', { class: 'empty' }, t(filter.value ? 'bookings.noneWithStatus' : 'bookings.none'));
  const item = (booking) => h('li', {}, h('a', { class: 'card booking', href: `#/bookings/${booking.id}`, 'data-id': booking.id },
    h('span', { class: 'line' }, h('strong', { dir: 'auto' }, booking.service), h('span', { class: 'status', 'data-status': booking.status }, statusWords(booking.status))),
    h('span', { class: 'foot', dir: 'auto' }, booking.address || t('bookings.noAddress')),
    h('span', { class: 'foot', dir: 'auto' }, people(booking, me), booking.preferred_time && [' · ', t('bookings.time', { time: moment(booking.preferred_time) })])));

  const element = h('div', { class: 'list' },
    h('header', { class: 'view-head' },
      h('h1', { tabindex: '-1' }, listTitle(me)),
      me.role === 'admin' && h('a', { class: 'to-map', href: '#/map' }, t('dispatch.title')),
      h('label', { class: 'inline', for: 'status' }, t('bookings.show'), filter)),
    problem, list, more);
  void load(1);
  const off = bell.onArrival(refresh);
  return {
    element,
    title: t('bookings.title'),
    close() {
      asked++;
      off();
      retry?.end();
    },
  };
}

function people({ owner, worker }, me) {
  const parts = [owner.id === me.id ? null : t('bookings.for', { name: owner.name }), worker ? (worker.id === me.id ? t('bookings.byYou') : t('bookings.by', { name: worker.name })) : t('bookings.noWorker')];
  return parts.filter(Boolean).join(', ');
}

/** The bookings that the user may see, newest first; staff choose by status. */
import { moment } from '../clock.js';
import { fill, h } from '../dom.js';
import { STATUS } from '../words.js';

export function bookingsView({ session, me, bell }) {
  const list = h('ul', { class: 'bookings', id: 'bookings' });
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const more = h('button', { type: 'button', class: 'secondary', hidden: true, onclick: () => load(page + 1) }, 'Show more');
  const filter = h('select', { id: 'status', onchange: () => load(1) },
    h('option', { value: '' }, 'Every status'), Object.entries(STATUS).map(([value, words]) => h('option', { value }, words)));
  let page = 1;
  let asked = 0;

  async function load(wanted) {
    const question = ++asked;
    list.setAttribute('aria-busy', 'true');
    try {
      const { results, next } = await session.get(`bookings/?page=${wanted}${filter.value && `&status=${filter.value}`}`);
      if (question !== asked) return;
      page = wanted;
      problem.hidden = true;
      more.hidden = !next;
      if (wanted === 1) fill(list, results.length ? results.map(item) : nothing());
      else list.append(...results.map(item));
    } catch (error) {
      if (question !== asked) return;
      fill(problem, error.message, ' ', h('button', { type: 'button', class: 'quiet', onclick: () => load(wanted) }, 'Try again'));
      problem.hidden = false;
    } finally {
      if (question === asked) list.removeAttribute('aria-busy');
    }
  }

  const nothing = () => h('li', { class: 'empty' }, filter.value ? 'None with this status.' : 'No bookings yet. They are made over the REST API.');
  const item = (booking) => h('li', {}, h('a', { class: 'card booking', href: `#/bookings/${booking.id}`, 'data-id': booking.id },
    h('span', { class: 'line' }, h('strong', {}, booking.service), h('span', { class: 'status', 'data-status': booking.status }, STATUS[booking.status])),
    h('span', { class: 'foot' }, booking.address || 'No address'),
    h('span', { class: 'foot' }, people(booking, me), booking.preferred_time && ` · for ${moment(booking.preferred_time)}`)));

  const element = h('div', { class: 'list' },
    h('header', { class: 'view-head' },
      h('h1', { tabindex: '-1' }, me.role === 'admin' ? 'All bookings' : 'Your bookings'),
      h('label', { class: 'inline', for: 'status' }, 'Show', filter)),
    problem, list, more);
  void load(1);
  const off = bell.onArrival(() => load(1));
  return { element, title: 'Bookings', close: off };
}

function people({ owner, worker }, me) {
  const parts = [owner.id === me.id ? null : `for ${owner.name}`, worker ? (worker.id === me.id ? 'by you' : `by ${worker.name}`) : 'no worker yet'];
  return parts.filter(Boolean).join(', ');
}

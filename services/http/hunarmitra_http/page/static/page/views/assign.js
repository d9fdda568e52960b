/** The form with which staff assign a worker. */
import { announce, fill, h } from '../dom.js';
import { t } from '../languages.js';

/** `onAssigned(booking)` is called with the server's answer. */
export function assignForm(session, booking, onAssigned = () => {}) {
  let shown = booking;
  const workers = h('select', { id: 'worker', required: true }, h('option', { value: '' }, t('assign.loading')));
  const button = h('button', { class: 'secondary' }, t('assign.assign'));
  const problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  const element = h('form', { class: 'card form assign', 'aria-label': t('assign.form'), onsubmit: assign },
    h('label', { for: 'worker' }, t('assign.worker')), h('div', { class: 'row' }, workers, button), problem);

  async function load() {
    try {
      const found = [];
      for (let path = 'workers/?page_size=100'; path; ) {
        const { results, next } = await session.get(path);
        found.push(...results);
        path = next && `workers/${new URL(next).search}`;
      }
      const option = ({ id, name, available }) => h('option', { value: id, dir: 'auto', selected: id === shown.worker?.id }, available ? name : t('assign.busy', { name }));
      fill(workers, h('option', { value: '' }, t('assign.choose')), found.map(option));
    } catch (error) {
      complain(error);
    }
  }

  async function assign(event) {
    event.preventDefault();
    button.disabled = true;
    problem.hidden = true;
    try {
      const assigned = await session.post(`bookings/${shown.id}/assign/`, { worker_id: workers.value });
      announce(t('assign.done'));
      onAssigned(assigned);
    } catch (error) {
      complain(error);
    } finally {
      button.disabled = false;
      button.focus();
    }
  }

  function complain(error) {
    problem.textContent = error.message;
    problem.hidden = false;
  }

  void load();
  return {
    element,
    show(booking) {
      if (booking.worker?.id !== shown.worker?.id && booking.worker) workers.value = booking.worker.id;
      shown = booking;
      button.textContent = t(booking.worker ? 'assign.reassign' : 'assign.assign');
    },
  };
}

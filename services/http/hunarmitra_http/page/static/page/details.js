/** The details of a booking as rows of a list of terms. */
import { h } from './dom.js';
import { moment, rupees } from './formats.js';
import { t } from './languages.js';

export function detailRows({ owner, worker, preferred_time: time, estimated_price: price, notes }) {
  const rows = [
    [t('booking.customer'), owner.name],
    [t('booking.worker'), worker?.name ?? t('booking.nobody')],
    [t('booking.wanted'), time && moment(time)],
    [t('booking.estimate'), price && rupees(price)],
    [t('booking.notes'), notes],
  ];
  return rows.filter(([, words]) => words).map(([term, words]) => h('div', {}, h('dt', {}, term), h('dd', { dir: 'auto' }, words)));
}

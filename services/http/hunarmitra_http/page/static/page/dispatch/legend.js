/** What the markers mean. */
import { h } from '../dom.js';
import { t } from '../languages.js';
import { statusWords } from '../words.js';
import { icon, STATUSES } from './shapes.js';

const item = (status, stale, words) => h('li', {}, icon(status, stale), words);

export function legend() {
  return h('details', { class: 'legend', open: matchMedia('(width >= 900px)').matches }, h('summary', {}, t('dispatch.legend')),
    h('ul', {}, STATUSES.map((status) => item(status, false, statusWords(status))), item('on_the_way', true, t('dispatch.legend.stale'))),
    h('p', { class: 'foot' }, t('dispatch.legend.site')));
}

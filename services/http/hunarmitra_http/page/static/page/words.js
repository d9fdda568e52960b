/** Texts about a booking, for its reader. */
import { has, t } from './languages.js';

export const STATUSES = ['requested', 'confirmed', 'on_the_way', 'arrived', 'completed', 'cancelled'];
export const PATH = STATUSES.slice(0, -1);
export const FINAL = ['completed', 'cancelled'];
/** In these statuses the worker's location may be seen. */
export const TRACKED = ['confirmed', 'on_the_way', 'arrived'];

export const statusWords = (status) => t(`status.${status}`);
export const roleWords = (role) => t(`role.${role}`);

/** One sentence about a booking, for the reader `me`. */
export function headline({ status, worker }, me) {
  if (worker && worker.id === me.id && has(`headline.you.${status}`)) return t(`headline.you.${status}`);
  if (status === 'confirmed' && !worker) return t('headline.confirmedNobody');
  return t(`headline.${status}`, { worker: worker?.name ?? t('headline.theWorker') });
}

export function eventWords({ event_type: type, status }) {
  return has(`event.${type}`) ? t(`event.${type}`) : statusWords(status);
}

/** Return `{title, message}` in the reader's language; those of the server for an event that the page does not know. */
export function notificationWords({ title, message, data }) {
  const type = data?.event_type;
  if (!has(`notification.${type}.title`) || !data.service) return { title, message };
  const worker = data.worker ?? t('headline.theWorker');
  return { title: t(`notification.${type}.title`), message: t(`notification.${type}.message`, { service: data.service, worker }) };
}

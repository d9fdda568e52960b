/** A view in place of one that could not be loaded yet. It tries again by itself. */
import { h } from '../dom.js';
import { t } from '../languages.js';
import { retrying } from '../retry.js';

/** `attempt` resolves to true when the view can be loaded; the caller then opens it. */
export function waitingView({ title, message, attempt, stream, back }) {
  let retry;
  const button = h('button', { type: 'button', class: 'primary', onclick: () => void retry.now() }, t('waiting.again'));
  const element = h('div', { class: 'list' },
    h('h1', { tabindex: '-1' }, title),
    h('p', { class: 'problem', role: 'alert' }, message),
    h('p', {}, t('waiting.byItself')),
    h('p', {}, button),
    back);
  return {
    element,
    title,
    opened() {
      retry = retrying(attempt, stream);
    },
    close() {
      retry?.end();
    },
  };
}

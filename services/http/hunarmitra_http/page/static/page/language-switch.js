/** The switch between the page's languages. */
import { h } from './dom.js';
import { language, LANGUAGES, t } from './languages.js';

/** `choose(code)` is called with the language that was pressed. */
export const languageSwitch = (choose) => h('div', { class: 'language', role: 'group', 'aria-label': t('bar.language') },
  Object.entries(LANGUAGES).map(([code, { name }]) =>
    h('button', { type: 'button', class: 'quiet', lang: code, 'aria-pressed': String(code === language), onclick: () => code !== language && choose(code) }, name)));

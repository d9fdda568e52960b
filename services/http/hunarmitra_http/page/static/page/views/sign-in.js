/** Sign in with name and password, or in the demo with one click. */
import { fill, h } from '../dom.js';
import { t } from '../languages.js';
import { demoPeople, Session } from '../session.js';
import { roleWords } from '../words.js';

export function signInView({ demo, message, onSignedIn }) {
  const problem = h('p', { class: 'problem', role: 'alert', hidden: !message }, message);
  const people = h('div', { class: 'people' });
  const form = h('form', { class: 'card form', onsubmit: submit },
    h('label', { for: 'username' }, t('signIn.username')),
    h('input', { id: 'username', name: 'username', dir: 'auto', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true }),
    h('label', { for: 'password' }, t('signIn.password')),
    h('input', { id: 'password', name: 'password', type: 'password', autocomplete: 'current-password', required: true }),
    h('button', { class: 'primary' }, t('signIn.button')));

  async function signIn(username, password) {
    problem.hidden = true;
    element.setAttribute('aria-busy', 'true');
    try {
      onSignedIn(await Session.signIn(username, password, { kept: true }));
    } catch (error) {
      problem.textContent = error.status === 401 ? t('signIn.wrong') : error.message;
      problem.hidden = false;
    } finally {
      element.removeAttribute('aria-busy');
    }
  }

  function submit(event) {
    event.preventDefault();
    const given = new FormData(form);
    void signIn(given.get('username'), given.get('password'));
  }

  async function offerPeople() {
    const offered = await demoPeople().catch(() => []);
    if (!offered.length) return;
    fill(people, h('h2', {}, t('signIn.people')), offered.map(({ username, password, name, role }) =>
      h('button', { type: 'button', class: 'person', 'data-role': role, onclick: () => signIn(username, password) },
        h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(name)),
        h('span', { class: 'who' }, h('strong', { dir: 'auto' }, name), h('span', {}, roleWords(role))))));
  }

  const element = h('div', { class: 'sign-in' },
    h('h1', { tabindex: '-1' }, t('signIn.heading')),
    h('p', { class: 'lead' }, t('signIn.lead')),
    problem, people, form);
  if (demo) void offerPeople();
  return { element, title: t('signIn.title'), close() {} };
}

export const initials = (name) => name.split(/\s+/).map(([first]) => first).slice(0, 2).join('');

/** Sign in with name and password, or in the demo with one click. */
import { fill, h } from '../dom.js';
import { demoPeople, Session } from '../session.js';
import { ROLE } from '../words.js';

export function signInView({ demo, message, onSignedIn }) {
  const problem = h('p', { class: 'problem', role: 'alert', hidden: !message }, message);
  const people = h('div', { class: 'people' });
  const form = h('form', { class: 'card form', onsubmit: submit },
    h('label', { for: 'username' }, 'User name'),
    h('input', { id: 'username', name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', required: true }),
    h('label', { for: 'password' }, 'Password'),
    h('input', { id: 'password', name: 'password', type: 'password', autocomplete: 'current-password', required: true }),
    h('button', { class: 'primary' }, 'Sign in'));

  async function signIn(username, password) {
    problem.hidden = true;
    element.setAttribute('aria-busy', 'true');
    try {
      onSignedIn(await Session.signIn(username, password, { kept: true }));
    } catch (error) {
      problem.textContent = error.status === 401 ? 'This name and this password do not belong together.' : error.message;
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
    fill(people, h('h2', {}, 'In the demo, be one of'), offered.map(({ username, password, name, role }) =>
      h('button', { type: 'button', class: 'person', 'data-role': role, onclick: () => signIn(username, password) },
        h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(name)),
        h('span', { class: 'who' }, h('strong', { dir: 'auto' }, name), h('span', {}, ROLE[role])))));
  }

  const element = h('div', { class: 'sign-in' },
    h('h1', { tabindex: '-1' }, 'Watch a booking, live'),
    h('p', { class: 'lead' }, 'Its status the moment it changes, and the worker on the map.'),
    problem, people, form);
  if (demo) void offerPeople();
  return { element, title: 'Sign in', close() {} };
}

export const initials = (name) => name.split(/\s+/).map(([first]) => first).slice(0, 2).join('');

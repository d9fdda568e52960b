/** The page: the signed-in user, the open view, and the bar above it. */
import { ConnectionPill } from './connection.js';
import { Demo } from './demo.js';
import { fill, h } from './dom.js';
import { Bell } from './notifications.js';
import { Session } from './session.js';
import { Sharing } from './sharing.js';
import { bookingsView } from './views/bookings.js';
import { bookingView } from './views/booking.js';
import { initials, signInView } from './views/sign-in.js';
import { waitingView } from './views/waiting.js';
import { ROLE } from './words.js';

const main = document.getElementById('main');
const bar = document.getElementById('bar');
const configuration = JSON.parse(document.getElementById('configuration').textContent);

const pill = new ConnectionPill();
const brand = () => h('a', { class: 'brand', href: '#/' }, h('span', { class: 'mark', 'aria-hidden': 'true' }), 'HunarMitra');

let app; // of the signed-in user
let view;
let asked = 0;

function open(next, focus = true) {
  view?.close();
  view = next;
  fill(main, next.element);
  retitle();
  next.opened?.();
  pill.show(next.stream ?? app?.bell.stream);
  if (focus) main.querySelector('h1')?.focus({ preventScroll: true });
  scrollTo(0, 0);
}

/** Show the title of the open view, which may change while it is open. */
function retitle() {
  document.title = `${view.title} · HunarMitra`;
}

async function route(focus = true) {
  if (!app) return;
  const question = ++asked;
  const [, id] = location.hash.match(/^#\/bookings\/([^/]+)$/) ?? [];
  const next = id ? await bookingView(app, encodeURIComponent(id)) : bookingsView(app);
  if (question === asked && app) open(next, focus);
  else next.close();
}

async function begin(session) {
  session.onend = () => end('Your session has ended. Please sign in again.');
  const me = await session.get('users/me/');
  const bell = new Bell(session);
  const sharing = new Sharing(session);
  app = { session, me, bell, configuration, sharing, demo: new Demo(session, me, configuration.trackingSeconds, sharing), leave, retitle: () => view && retitle(), reload: () => route(false) };
  fill(bar, brand(), pill.element, bell.element,
    h('div', { class: 'me' }, h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(me.name)), h('span', { class: 'who' }, h('strong', { dir: 'auto' }, me.name), h('span', {}, ROLE[me.role]))),
    h('button', { type: 'button', class: 'quiet', id: 'sign-out', onclick: signOut }, 'Sign out'));
  await bell.start();
  if (!app) return;
  await route(false);
}

function signOut() {
  void app.session.signOut();
  location.hash = '#/';
  end();
}

function end(message) {
  asked++;
  app?.sharing.stop();
  app?.bell.stop();
  app = undefined;
  pill.show(undefined);
  fill(bar, brand());
  open(signInView({ demo: configuration.demo, message, onSignedIn: (session) => void signedIn(session) }), Boolean(message));
}

function signedIn(session) {
  if (location.hash === '#/sign-in') history.replaceState(null, '', '#/');
  void start(session);
}

/** Show that access to the open booking has ended. */
function leave(message) {
  const element = h('div', { class: 'list' }, h('h1', { tabindex: '-1' }, 'Nothing to see'), h('p', { class: 'problem', role: 'alert' }, message), h('p', {}, h('a', { class: 'back', href: '#/' }, 'All bookings')));
  open({ element, title: 'Nothing to see', close() {} });
}

async function start(session) {
  try {
    await begin(session);
  } catch (error) {
    if (error.status === 401) return end('Your session has ended. Please sign in again.');
    const attempt = async () => {
      await session.get('users/me/');
      void start(session);
      return true;
    };
    open(waitingView({ title: 'Not there', message: error.message, attempt }));
  }
}

addEventListener('hashchange', () => void route());
// Only pages from https or this machine have service workers. The page works without one.
void navigator.serviceWorker?.register(new URL('service-worker.js', import.meta.url), { scope: '/' }).catch(() => {});
// `#/sign-in` asks who to be although another tab is signed in.
const restored = location.hash === '#/sign-in' ? null : await Session.restored();
if (restored) void start(restored);
else end();

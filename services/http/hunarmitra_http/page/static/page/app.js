/** The page: the signed-in user, the open view, and the bar above it. */
import { tellOfArrivals } from './arrival.js';
import { ConnectionPill } from './connection.js';
import { Demo } from './demo.js';
import { fill, h } from './dom.js';
import { t, use } from './languages.js';
import { languageSwitch } from './language-switch.js';
import { Bell } from './notifications.js';
import { Session } from './session.js';
import { Sharing } from './sharing.js';
import { bookingsView } from './views/bookings.js';
import { bookingView, nothingView } from './views/booking.js';
import { initials, signInView } from './views/sign-in.js';
import { waitingView } from './views/waiting.js';
import { roleWords } from './words.js';

const main = document.getElementById('main');
const bar = document.getElementById('bar');
const foot = document.getElementById('foot');
const configuration = JSON.parse(document.getElementById('configuration').textContent);

const pill = new ConnectionPill();
const brand = () => h('a', { class: 'brand', href: '#/' }, h('span', { class: 'mark', 'aria-hidden': 'true' }), 'HunarMitra');

let app; // of the signed-in user
let view;
let asked = 0;
let redraw; // shows the same again, in another language

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

function viewAt(hash) {
  const [, id] = hash.match(/^#\/bookings\/([^/]+)$/) ?? [];
  if (id) return bookingView(app, encodeURIComponent(id));
  return hash === '#/map' ? mapView() : bookingsView(app);
}

/** The map of all bookings is loaded when staff open it: nobody else needs it. */
async function mapView() {
  const { session, bell, me } = app;
  if (me.role !== 'admin') return nothingView(me, t('dispatch.staffOnly'));
  const load = () => import('./views/dispatch.js');
  try {
    const { DispatchView } = await load();
    return new DispatchView(app);
  } catch {
    const attempt = async () => {
      await session.get('users/me/');
      await load();
      void app.reload();
      return true;
    };
    return waitingView({ title: t('dispatch.title'), message: t('error.unreachable'), attempt, stream: bell.stream });
  }
}

async function route(focus = true) {
  if (!app) return;
  const question = ++asked;
  const next = await viewAt(location.hash);
  if (question === asked && app) open(next, focus);
  else next.close();
}

/** Fill what is around the view. */
function frame(...parts) {
  document.getElementById('skip').textContent = t('bar.skip');
  document.getElementById('announcements').setAttribute('aria-label', t('bar.news'));
  const choose = (code) => void speak(code);
  fill(bar, brand(), parts, languageSwitch(choose));
  bar.classList.toggle('guest', !app);
  foot.hidden = !app;
  fill(foot, app && languageSwitch(choose));
}

/** Change the language of all that is shown. */
async function speak(code) {
  await use(code);
  await redraw();
  [...document.querySelectorAll(`.language [lang=${code}]`)].find((button) => button.checkVisibility())?.focus({ preventScroll: true });
}

async function begin(session) {
  session.onend = () => end('error.sessionEnded');
  const me = await session.get('users/me/');
  const sharing = new Sharing(session);
  app = { session, me, configuration, sharing, demo: new Demo(session, me, configuration.trackingSeconds, sharing), leave, retitle: () => view && retitle(), reload: () => route(false) };
  redraw = draw;
  await draw();
}

/** Show the signed-in user's bar and view. */
async function draw() {
  const { session, me } = app;
  app.bell?.stop();
  app.bell = new Bell(session);
  tellOfArrivals(app.bell, me);
  frame(pill.element, app.bell.element,
    h('div', { class: 'me' }, h('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(me.name)), h('span', { class: 'who' }, h('strong', { dir: 'auto' }, me.name), h('span', {}, roleWords(me.role)))),
    h('button', { type: 'button', class: 'quiet', id: 'sign-out', onclick: signOut }, t('bar.signOut')));
  const before = asked;
  await app.bell.start();
  if (asked === before) await route(false); // else the user has opened a view meanwhile
}

function signOut() {
  void app.session.signOut();
  location.hash = '#/';
  end();
}

/** Show the form to sign in. `reason`: the key of the text that says why. */
function end(reason) {
  asked++;
  app?.sharing.stop();
  app?.bell.stop();
  app = undefined;
  pill.show(undefined);
  redraw = () => {
    frame();
    open(signInView({ demo: configuration.demo, message: reason && t(reason), onSignedIn: (session) => void signedIn(session) }), Boolean(reason));
  };
  redraw();
}

function signedIn(session) {
  if (location.hash === '#/sign-in') history.replaceState(null, '', '#/');
  void start(session);
}

/** Show that access to the open view has ended. */
const leave = (message) => open(nothingView(app.me, message));

async function start(session) {
  try {
    await begin(session);
  } catch (error) {
    if (error.status === 401) return end('error.sessionEnded');
    const attempt = async () => {
      await session.get('users/me/');
      void start(session);
      return true;
    };
    redraw = () => {
      frame();
      open(waitingView({ title: t('waiting.start'), message: error.message, attempt }));
    };
    redraw();
  }
}

addEventListener('hashchange', () => void route());
// Only pages from https or this machine have service workers. The page works without one.
void navigator.serviceWorker?.register(new URL('service-worker.js', import.meta.url), { scope: '/' }).catch(() => {});
// `#/sign-in` asks who to be although another tab is signed in.
const restored = location.hash === '#/sign-in' ? null : await Session.restored();
if (restored) void start(restored);
else end();

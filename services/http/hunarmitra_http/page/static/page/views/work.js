/** The worker's controls: one action at a time, the shared location, and what to do when they cannot come. */
import { ago, everySecond } from '../clock.js';
import { DemoGeolocation } from '../demo-geolocation.js';
import { announce, fill, h, say } from '../dom.js';
import { metresBetween, moved, place } from '../geometry.js';
import { retrying } from '../retry.js';
import { FINAL, SHARING, TRACKED, WORK } from '../words.js';

const NEXT = { confirmed: 'on_the_way', on_the_way: 'arrived', arrived: 'completed' };
/** Metres: farther from the site, an arrival is asked about. */
const AT_SITE = 300;
/** Where the demo's worker begins: metres north and east of the site. */
const DEMO_START = [-1300, -900];

export class WorkPanel {
  #app;
  #booking;
  #view; // {stream, where, onLocation, changed}
  #map;
  #hand; // the demo's device
  #offs = [];
  #retry;
  #busy = false;
  #asked; // the status in which the worker was asked whether they are sure

  #note = h('p', { class: 'work-note' });
  #problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  #action = h('button', { type: 'button', class: 'primary big', id: 'action', onclick: () => this.#press() });
  #question = h('p', { class: 'work-question' });
  #yes = h('button', { type: 'button', class: 'primary big', id: 'action-yes', onclick: () => void this.#act() });
  #no = h('button', { type: 'button', class: 'secondary big', onclick: () => this.#ask(undefined) }, WORK.no);
  #confirm = h('div', { class: 'work-confirm', hidden: true }, this.#question, this.#yes, this.#no);

  #sharingState = h('span', { class: 'switch-state' });
  #switch = h('button', { type: 'button', class: 'switch', id: 'share', role: 'switch', 'aria-checked': 'false', 'aria-describedby': 'sharing', onclick: () => this.#toggle() },
    h('span', { class: 'switch-words' }, h('strong', {}, SHARING.title), this.#sharingState), h('span', { class: 'switch-track', 'aria-hidden': 'true' }));
  #sharingWords = h('p', { id: 'sharing', class: 'sharing-words' });
  #sent = h('p', { class: 'foot', id: 'sent' });
  #steps = h('ol', { class: 'steps' });
  #again = h('button', { type: 'button', class: 'secondary big', onclick: () => this.#share() }, SHARING.again);
  #help = h('div', { class: 'sharing-help', hidden: true }, this.#steps, this.#again);
  #hint = h('p', { class: 'foot', id: 'sharing-hint' });
  #sharing = h('div', { class: 'card sharing' }, this.#switch, this.#sharingWords, this.#sent, this.#help, this.#hint);

  #message = h('p', { class: 'decline-message', dir: 'auto' });
  #decline = h('details', { class: 'decline' }, h('summary', {}, WORK.decline), h('p', {}, WORK.declineHow), this.#message,
    h('button', { type: 'button', class: 'secondary big', onclick: () => void this.#sendDecline() }, navigator.share ? WORK.declineSend : WORK.declineCopy));

  element = h('section', { class: 'work', 'aria-label': WORK.title },
    this.#sharing, this.#decline, h('div', { class: 'work-action' }, this.#problem, this.#action, this.#confirm, this.#note));

  constructor(app, booking, view) {
    this.#app = app;
    this.#booking = booking;
    this.#view = view;
  }

  opened(map) {
    const { sharing, configuration } = this.#app;
    const { id } = this.#booking;
    this.#map = map;
    this.#offs.push(
      sharing.attach(id, this.#view.stream),
      sharing.onChange((location) => this.#sharingChanged(location)),
      everySecond(() => this.#tellSent()),
    );
    if (configuration.demo) this.#hand = handOf(this.#app, this.#booking, this.#view.where);
    if (sharing.wasOn(id) && !sharing.on(id) && TRACKED.includes(this.#booking.status)) this.#share();
    this.#sharingChanged();
  }

  close() {
    this.#retry?.end();
    for (const off of this.#offs) off();
  }

  show(booking) {
    if (booking.status !== this.#booking.status) {
      this.#asked = undefined;
      this.#problem.hidden = true;
      this.#retry?.end();
      this.#retry = undefined;
      this.#busy = false;
    }
    this.#booking = booking;
    this.#describe();
  }

  // ── the action ──

  #press() {
    const { status } = this.#booking;
    const metres = this.#metres();
    if (status === 'arrived') this.#ask(WORK.sure);
    else if (status === 'on_the_way' && metres > AT_SITE) this.#ask(WORK.far(metres));
    else void this.#act();
  }

  #metres() {
    const site = place(this.#booking);
    const at = this.#view.where();
    return site && at ? metresBetween([at.lat, at.lng], site) : 0;
  }

  #ask(question) {
    this.#asked = question && this.#booking.status;
    if (question) say(this.#question, question);
    this.#describe();
    (question ? this.#yes : this.#action).focus();
  }

  async #act() {
    const { status, id } = this.#booking;
    const wanted = NEXT[status];
    if (!wanted || this.#busy) return;
    this.#busy = true;
    this.#asked = undefined;
    this.#problem.hidden = true;
    if (wanted === 'on_the_way') this.#share();
    this.#describe();
    const attempt = async () => {
      const booking = await this.#app.session.patch(`bookings/${id}/status/`, { status: wanted });
      if (wanted !== 'on_the_way') this.#app.sharing.stop();
      this.#view.changed(booking);
      return true;
    };
    try {
      await attempt();
    } catch (error) {
      if (error.status && error.status < 500) return this.#fail(error);
      this.#complain(WORK.waiting(WORK.actions[status]));
      // A repeated status changes nothing, so that a lost answer does no harm.
      this.#retry = retrying(() => attempt().catch((again) => {
        if (!again.status || again.status >= 500) throw again;
        this.#fail(again);
        return true;
      }), this.#view.stream);
    }
  }

  #fail(error) {
    this.#busy = false;
    this.#complain(WORK.failed(error.message));
    this.#describe();
  }

  #complain(words) {
    say(this.#problem, words);
    this.#problem.hidden = false;
  }

  #describe() {
    const { status } = this.#booking;
    const action = WORK.actions[status];
    const asks = this.#asked === status;
    this.#action.hidden = !action || asks;
    this.#confirm.hidden = !asks;
    this.#action.disabled = this.#busy;
    say(this.#action, this.#busy ? WORK.sending : (action ?? ''));
    say(this.#yes, WORK.yes[status] ?? '');
    this.#note.hidden = asks || !WORK.notes[status];
    say(this.#note, WORK.notes[status] ?? '');
    const over = FINAL.includes(status);
    this.#sharing.hidden = this.#decline.hidden = over || !TRACKED.includes(status);
    say(this.#message, WORK.declineMessage(this.#booking));
  }

  // ── the shared location ──

  #toggle() {
    const { sharing } = this.#app;
    if (sharing.on(this.#booking.id)) {
      sharing.stop();
      announce(SHARING.announced.stopped);
    } else this.#share();
  }

  #share() {
    this.#app.sharing.start(this.#booking.id, this.#hand);
  }

  #sharingChanged(location) {
    const { sharing } = this.#app;
    const { id } = this.#booking;
    const { name, reason } = sharing.stateOf(id);
    const on = sharing.on(id);
    if (location && on) this.#view.onLocation(location);
    if (name === 'sharing' && this.#sharing.dataset.state === 'locating') announce(SHARING.announced.sharing);
    this.#sharing.dataset.state = name;
    this.#switch.setAttribute('aria-checked', String(on));
    say(this.#sharingState, on ? SHARING.on : SHARING.off);
    say(this.#sharingWords, SHARING.states[reason ?? name] ?? SHARING.states.idle);
    const steps = SHARING.help[name];
    this.#help.hidden = !steps;
    fill(this.#steps, steps?.map((step) => h('li', {}, step)));
    if (name === 'denied' && !isSecureContext) fill(this.#steps, h('li', {}, SHARING.help.insecure));
    const byHand = on && this.#hand && sharing.geolocation === this.#hand;
    this.#hint.hidden = !on;
    say(this.#hint, byHand ? SHARING.handHow : sharing.awake ? SHARING.awake : SHARING.asleep);
    if (byHand) this.#map?.takeHand(this.#hand, SHARING.hand);
    else this.#map?.dropHand();
    this.#tellSent();
  }

  #tellSent() {
    const { sharing } = this.#app;
    const { accepted } = sharing;
    const shown = sharing.on(this.#booking.id) && accepted;
    this.#sent.hidden = !shown;
    if (!shown) return;
    const { accuracy } = accepted.location;
    say(this.#sent, SHARING.sent(ago(Date.now() - accepted.at), accuracy && Math.ceil(accuracy)));
  }

  // ── the worker cannot come ──

  async #sendDecline() {
    const text = WORK.declineMessage(this.#booking);
    try {
      if (navigator.share) return await navigator.share({ text });
      await navigator.clipboard.writeText(text);
      announce(WORK.copied);
      say(this.#decline.querySelector('button'), WORK.copied);
    } catch (error) {
      if (error.name !== 'AbortError') announce(WORK.notCopied);
    }
  }
}

/** The demo's device of a booking: one for all views of the tab, so that the marker stays where it was left. */
function handOf(app, booking, where) {
  app.hands ??= new Map();
  const site = place(booking);
  const last = where();
  const start = last ? place(last) : site ? moved(site, ...DEMO_START) : moved([28.6315, 77.2167], ...DEMO_START);
  if (!app.hands.has(booking.id)) app.hands.set(booking.id, new DemoGeolocation(start));
  return app.hands.get(booking.id);
}

/** The worker's controls: one action at a time, the shared location, and what to do when they cannot come. */
import { everySecond } from '../clock.js';
import { DemoGeolocation } from '../demo-geolocation.js';
import { announce, fill, h, say } from '../dom.js';
import { ago, length, rounded } from '../formats.js';
import { metresBetween, moved, place } from '../geometry.js';
import { has, t } from '../languages.js';
import { retrying } from '../retry.js';
import { FINAL, TRACKED } from '../words.js';

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
  #no = h('button', { type: 'button', class: 'secondary big', onclick: () => this.#ask(undefined) }, t('work.no'));
  #confirm = h('div', { class: 'work-confirm', hidden: true }, this.#question, this.#yes, this.#no);

  #sharingState = h('span', { class: 'switch-state' });
  #switch = h('button', { type: 'button', class: 'switch', id: 'share', role: 'switch', 'aria-checked': 'false', 'aria-describedby': 'sharing', onclick: () => this.#toggle() },
    h('span', { class: 'switch-words' }, h('strong', {}, t('sharing.title')), this.#sharingState), h('span', { class: 'switch-track', 'aria-hidden': 'true' }));
  #sharingWords = h('p', { id: 'sharing', class: 'sharing-words' });
  #sent = h('p', { class: 'foot', id: 'sent' });
  #steps = h('ol', { class: 'steps' });
  #again = h('button', { type: 'button', class: 'secondary big', onclick: () => this.#share() }, t('sharing.again'));
  #help = h('div', { class: 'sharing-help', hidden: true }, this.#steps, this.#again);
  #hint = h('p', { class: 'foot', id: 'sharing-hint' });
  #sharing = h('div', { class: 'card sharing' }, this.#switch, this.#sharingWords, this.#sent, this.#help, this.#hint);

  #message = h('p', { class: 'decline-message', dir: 'auto' });
  #decline = h('details', { class: 'decline' }, h('summary', {}, t('work.decline')), h('p', {}, t('work.declineHow')), this.#message,
    h('button', { type: 'button', class: 'secondary big', onclick: () => void this.#sendDecline() }, navigator.share ? t('work.declineSend') : t('work.declineCopy')));

  element = h('section', { class: 'work', 'aria-label': t('work.title') },
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
    if (status === 'arrived') this.#ask(t('work.sure'));
    else if (status === 'on_the_way' && metres > AT_SITE) this.#ask(t('work.far', { distance: length(rounded(metres)) }));
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
      this.#complain(t('work.waiting', { action: t(`work.action.${status}`) }));
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
    this.#complain(t('work.failed', { message: error.message }));
    this.#describe();
  }

  #complain(words) {
    say(this.#problem, words);
    this.#problem.hidden = false;
  }

  #describe() {
    const { status } = this.#booking;
    const action = optional(`work.action.${status}`);
    const note = optional(`work.note.${status}`);
    const asks = this.#asked === status;
    this.#action.hidden = !action || asks;
    this.#confirm.hidden = !asks;
    this.#action.disabled = this.#busy;
    say(this.#action, this.#busy ? t('work.sending') : action);
    say(this.#yes, optional(`work.yes.${status}`));
    this.#note.hidden = asks || !note;
    say(this.#note, note);
    const over = FINAL.includes(status);
    this.#sharing.hidden = this.#decline.hidden = over || !TRACKED.includes(status);
    say(this.#message, declineMessage(this.#booking));
  }

  // ── the shared location ──

  #toggle() {
    const { sharing } = this.#app;
    if (sharing.on(this.#booking.id)) {
      sharing.stop();
      announce(t('sharing.said.stopped'));
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
    if (name === 'sharing' && this.#sharing.dataset.state === 'locating') announce(t('sharing.said.sharing'));
    this.#sharing.dataset.state = name;
    this.#switch.setAttribute('aria-checked', String(on));
    say(this.#sharingState, t(on ? 'sharing.on' : 'sharing.off'));
    say(this.#sharingWords, optional(`sharing.state.${reason ?? name}`) || t('sharing.state.idle'));
    const help = name === 'denied' && !isSecureContext ? 'insecure' : name;
    const steps = optional(`sharing.help.${help}`);
    this.#help.hidden = !steps;
    fill(this.#steps, steps && steps.map((step) => h('li', {}, step)));
    const byHand = on && this.#hand && sharing.geolocation === this.#hand;
    this.#hint.hidden = !on;
    say(this.#hint, t(byHand ? 'sharing.handHow' : sharing.awake ? 'sharing.awake' : 'sharing.asleep'));
    if (byHand) this.#map?.takeHand(this.#hand, t('sharing.hand'));
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
    const when = ago(Date.now() - accepted.at);
    say(this.#sent, accuracy ? t('sharing.sentExact', { ago: when, accuracy: length(Math.ceil(accuracy)) }) : t('sharing.sent', { ago: when }));
  }

  // ── the worker cannot come ──

  async #sendDecline() {
    const text = declineMessage(this.#booking);
    try {
      if (navigator.share) return await navigator.share({ text });
      await navigator.clipboard.writeText(text);
      announce(t('work.copied'));
      say(this.#decline.querySelector('button'), t('work.copied'));
    } catch (error) {
      if (error.name !== 'AbortError') announce(t('work.notCopied'));
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

/** Return a text that not every status has, else ''. */
const optional = (key) => (has(key) ? t(key) : '');

const declineMessage = ({ service, address, id }) =>
  address ? t('work.declineMessageAt', { service, address, id }) : t('work.declineMessage', { service, id });

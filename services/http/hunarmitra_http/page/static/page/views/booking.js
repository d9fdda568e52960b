/** The view of one booking. */
import { BookingStream } from '../../realtime/index.js';
import { ArrivalOffer } from '../arrival.js';
import { everySecond } from '../clock.js';
import { detailRows } from '../details.js';
import { announce, fill, h, say } from '../dom.js';
import { ago, distance, moment, rupees } from '../formats.js';
import { metresBetween, place } from '../geometry.js';
import { rich, t } from '../languages.js';
import { LiveMap } from '../map.js';
import { Timeline } from '../timeline.js';
import { eventWords, FINAL, headline, statusWords, TRACKED } from '../words.js';
import { assignForm } from './assign.js';
import { backLink } from './bookings.js';
import { driveButton } from './drive.js';
import { waitingView } from './waiting.js';
import { WorkPanel } from './work.js';

/** After this many milliseconds without a location the view says when the worker was last seen. */
const STALE_MS = 10_000;

/** Resolve to the view of a booking, or to a view that says why it cannot be shown. */
export async function bookingView(app, id) {
  try {
    return new BookingView(app, await app.session.get(`bookings/${id}/`));
  } catch (error) {
    if (error.status !== 404) return unreadable(app, id, error);
    return nothingView(app.me, t('booking.unknown'));
  }
}

/** A view that says why there is nothing to see. */
export function nothingView(me, message) {
  const element = h('div', { class: 'list' }, h('h1', { tabindex: '-1' }, t('booking.nothing')), h('p', { class: 'problem', role: 'alert' }, message), backLink(me));
  return { element, title: t('booking.nothing'), close() {} };
}

function unreadable(app, id, { message }) {
  const attempt = async () => {
    await app.session.get(`bookings/${id}/`).catch((error) => {
      if (error.status !== 404) throw error;
    });
    void app.reload();
    return true;
  };
  return waitingView({ title: t('waiting.booking'), message, attempt, stream: app.bell.stream, back: backLink(app.me) });
}

class BookingView {
  #app;
  #booking;
  #offs = [];
  #at; // the last location that is certain enough for the marker
  #lastAt; // its time, in the server's time
  #ahead = 0; // the server's clock minus this machine's
  #told; // the seq of the last event that was announced, or older than the view
  #timeline = new Timeline();
  #status = h('span', { class: 'status', id: 'status' });
  #headline = h('p', { class: 'headline', id: 'headline', dir: 'auto' });
  #eta = h('p', { class: 'eta', id: 'eta' });
  #where = h('span', { class: 'where', id: 'where' });
  #seen = h('span', { class: 'seen', id: 'seen' });
  #details = h('dl', { class: 'details' });
  #recentre = h('button', { type: 'button', class: 'recentre', hidden: true, onclick: () => this.#map.recentre() }, t('map.follow'));
  #canvas = h('div', { class: 'map', id: 'map', role: 'region', 'aria-label': t('map.region') });
  #controls = h('div', { class: 'controls' });
  #map;
  #driving; // a promise of the button
  #assign;
  #work; // the worker's controls
  #arrival;

  constructor(app, booking) {
    this.#app = app;
    this.#booking = booking;
    this.#told = booking.seq;
    this.element = h('article', { class: 'live', 'data-id': booking.id },
      h('div', { class: 'stage' }, this.#canvas, this.#recentre),
      h('div', { class: 'side' },
        backLink(app.me),
        h('header', {}, h('h1', { tabindex: '-1', dir: 'auto' }, booking.service), this.#status, h('p', { class: 'foot', dir: 'auto' }, booking.address)),
        h('section', { class: 'card now', 'aria-label': t('booking.now') }, this.#headline, this.#eta, h('p', { class: 'line' }, this.#where, this.#seen)),
        this.#controls,
        h('section', {}, h('h2', {}, t('booking.happened')), this.#timeline.element),
        h('section', {}, h('h2', {}, t('booking.details')), this.#details)));
    this.stream = new BookingStream({ bookingId: booking.id, token: app.session.token, since: 0 });
    const { me } = app;
    if (booking.worker?.id === me.id) {
      this.#work = new WorkPanel(app, booking, { stream: this.stream, where: () => this.#at, onLocation: (at) => this.#seenHere(at), changed: (changed) => this.#changed(changed) });
      this.element.classList.add('working');
    }
    if (booking.owner.id === me.id) this.#arrival = new ArrivalOffer();
    this.#listen();
    this.#describe();
    void this.#renderControls();
  }

  /** Status and ETA first: a tab shows little more than the beginning. */
  get title() {
    const minutes = this.#minutes();
    const words = { status: statusWords(this.#booking.status), service: this.#booking.service };
    return minutes ? t('booking.titleWithEta', { ...words, minutes }) : t('booking.title', words);
  }

  /** Draw the map when the element is on the page: Leaflet needs its size. */
  opened() {
    const { tileUrl, attribution, demo } = this.#app.configuration;
    this.#map = new LiveMap(this.#canvas, { tileUrl, attribution, city: demo, site: place(this.#booking), onFollow: (follows) => (this.#recentre.hidden = follows) });
    this.#offs.push(everySecond(() => this.#tellAge()));
    this.#work?.opened(this.#map);
    this.stream.start();
  }

  close() {
    this.#work?.close();
    this.stream.stop();
    void this.#driving?.then((drive) => drive?.close());
    this.#offs.forEach((off) => off());
    this.#map?.remove();
  }

  #listen() {
    const { stream } = this;
    stream.on('snapshot', ({ server_time: now }) => {
      this.#ahead = Date.parse(now) - Date.now();
      void this.#readAgain();
    });
    stream.on('status', (event) => this.#happened(event));
    stream.on('location', (location) => this.#moved(location));
    stream.on('resync', () => void this.#readLog());
    stream.on('state', (state) => {
      if (state.name === 'closed' && state.reason === 'forbidden') this.#app.leave(t('booking.ended'));
    });
  }

  #happened(event) {
    this.#timeline.add(event);
    this.#tell(event);
    // Replayed events are older than the snapshot, which is shown already.
    if (event.seq <= this.#booking.seq) return;
    this.#booking = { ...this.#booking, seq: event.seq, status: event.status, eta_minutes: event.eta_minutes ?? this.#booking.eta_minutes };
    this.#describe();
    void this.#readAgain();
  }

  /** Announce an event that happened after the view was opened, even one whose status REST has shown already. */
  #tell(event) {
    if (event.seq <= this.#told) return;
    this.#told = event.seq;
    const words = headline({ ...this.#booking, status: event.status }, this.#app.me);
    announce(t('event.said', { event: eventWords(event), headline: words }));
  }

  #moved(location) {
    if (!location) this.#forget();
    else if (!location.uncertain) {
      const at = Math.min(Date.parse(location.timestamp), Date.now() + this.#ahead);
      // The worker's own page may show a newer one than a snapshot has.
      if (at < this.#lastAt) return;
      this.#at = location;
      this.#lastAt = at;
      this.#booking = { ...this.#booking, eta_minutes: location.eta_minutes ?? null };
      this.#map.show(location);
    }
    this.#describe();
  }

  #forget() {
    this.#lastAt = this.#at = undefined;
    this.#map.hide();
  }

  /** Show the worker's own location at once: the server does not send it back. */
  #seenHere(location) {
    this.#at = location;
    this.#lastAt = Date.now() + this.#ahead;
    this.#map.show(location);
    this.#describe();
  }

  /** Show an answer of REST, which may be newer than the frames. */
  #changed(booking) {
    if (booking.seq < this.#booking.seq) return;
    this.#booking = booking;
    this.#describe();
    void this.#renderControls();
  }

  /** Read what frames do not hold: the worker and the details. */
  async #readAgain() {
    try {
      this.#changed(await this.#app.session.get(`bookings/${this.#booking.id}/`));
    } catch {
      // The next snapshot asks again.
    }
  }

  async #readLog() {
    try {
      const { results } = await this.#app.session.get(`bookings/${this.#booking.id}/events/`);
      this.#timeline.replace(results);
      const last = results.at(-1);
      if (last) this.#tell(last);
    } catch (error) {
      announce(error.message);
    }
    void this.#readAgain();
  }

  #describe() {
    const { status, worker } = this.#booking;
    // The stream knows nothing of what the worker's own page showed.
    if (this.#at && FINAL.includes(status)) this.#forget();
    const minutes = this.#minutes();
    const location = this.#at;
    this.element.dataset.status = status;
    this.#status.dataset.status = status;
    say(this.#status, statusWords(status));
    say(this.#headline, headline(this.#booking, this.#app.me));
    this.#eta.hidden = !minutes;
    if (minutes) fill(this.#eta, rich('booking.eta', { count: minutes, minutes: h('strong', {}, String(minutes)) }));
    const site = place(this.#booking);
    const far = location && site && status === 'on_the_way' ? distance(metresBetween([location.lat, location.lng], site)) : '';
    this.#where.hidden = !far;
    say(this.#where, far);
    this.#canvas.setAttribute('aria-label', mapWords(location, worker, far));
    this.#work?.show(this.#booking);
    this.#arrival?.show(this.#booking);
    fill(this.#details, detailRows(this.#booking));
    this.#tellAge();
    this.#app.retitle();
  }

  /** Minutes until the worker arrives, where they are known. */
  #minutes() {
    const { status, eta_minutes: minutes } = this.#booking;
    return ['confirmed', 'on_the_way'].includes(status) ? minutes : null;
  }

  #tellAge() {
    const age = this.#lastAt === undefined ? undefined : Date.now() + this.#ahead - this.#lastAt;
    const shown = age !== undefined && TRACKED.includes(this.#booking.status);
    const stale = shown && age >= STALE_MS && this.#booking.status !== 'arrived';
    this.#seen.hidden = !shown;
    this.#seen.classList.toggle('stale', stale);
    if (shown) say(this.#seen, stale ? t('booking.lastSeen', { ago: ago(age) }) : age < 3000 ? t('booking.seenNow') : t('booking.seen', { ago: ago(age) }));
    this.#map?.stale(stale);
  }

  async #renderControls() {
    const { session, me, configuration } = this.#app;
    const assign = me.role === 'admin' && !FINAL.includes(this.#booking.status);
    if (assign !== Boolean(this.#assign)) this.#assign = assign && assignForm(session, this.#booking);
    this.#assign?.show(this.#booking);
    if (configuration.demo) this.#driving ??= driveButton(this.#app, this.#booking, () => this.#at);
    const drive = await this.#driving;
    drive?.show(this.#booking);
    const wanted = [this.#work?.element, this.#arrival?.element, drive?.element, this.#assign?.element].filter(Boolean);
    if (wanted.some((element) => element.parentNode !== this.#controls) || this.#controls.childElementCount !== wanted.length) fill(this.#controls, wanted);
  }
}

function mapWords(location, worker, far) {
  if (!location) return t('map.region');
  const words = { worker: worker?.name ?? t('map.theWorker'), distance: far };
  return far ? t('map.withWorkerAway', words) : t('map.withWorker', words);
}

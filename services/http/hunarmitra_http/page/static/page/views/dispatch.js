/** The map of everything under way, for staff, with the list of the same bookings. */
import { RealtimeConnection } from '../../realtime/connection/index.js';
import { everySecond } from '../clock.js';
import { announce, fill, h, say } from '../dom.js';
import { Bookings, placeOf } from '../dispatch/bookings.js';
import { boxToAsk, rateFor, rateToAsk } from '../dispatch/box.js';
import { matching } from '../dispatch/filter.js';
import { legend } from '../dispatch/legend.js';
import { BookingList } from '../dispatch/list.js';
import { DispatchMap } from '../dispatch/map.js';
import { Reader } from '../dispatch/reader.js';
import { Selection } from '../dispatch/selection.js';
import { STATUSES } from '../dispatch/shapes.js';
import { SteadyState } from '../dispatch/steady.js';
import { t } from '../languages.js';
import { statusWords } from '../words.js';
import { backLink } from './bookings.js';

/** Milliseconds in which changes of the list are gathered. */
const GATHER_MS = 200;

export class DispatchView {
  #app;
  #kept; // what the view shows again when it is opened the next time
  #connection;
  #live;
  #bookings;
  #reader;
  #map;
  #box; // of the subscription; undefined for all bookings
  #rate = rateFor(0);
  #begun = false; // everything was received once, and is shown
  #complete = { live: false, read: false }; // what was received to the end, once
  #stale = new Set(); // ids of markers that are marked as old
  #selection;
  #gathering;
  #announcing;
  #off;

  #canvas = h('div', { class: 'map', id: 'dispatch-map', role: 'region', 'aria-label': t('dispatch.map') });
  #all = h('button', { type: 'button', class: 'secondary show-all', onclick: () => this.#showAll() }, t('dispatch.showAll'));
  #status;
  #search;
  #problem = h('p', { class: 'problem', role: 'alert', hidden: true });
  #empty = h('p', { class: 'empty', id: 'dispatch-empty' });
  #list = new BookingList({ onSelect: (id) => this.#pressed(id), age: (entry) => this.#ageOf(entry) });

  title = t('dispatch.title');

  constructor(app) {
    this.#app = app;
    this.#kept = app.dispatch ??= { status: '', search: '' };
    this.#status = h('select', { id: 'dispatch-status', onchange: () => this.#filter() },
      h('option', { value: '' }, t('bookings.everyStatus')),
      STATUSES.map((status) => h('option', { value: status, selected: status === this.#kept.status }, statusWords(status))));
    this.#search = h('input', { id: 'dispatch-search', type: 'search', dir: 'auto', value: this.#kept.search, placeholder: t('dispatch.searchHint'), autocomplete: 'off', spellcheck: 'false', oninput: () => this.#filter() });
    this.element = h('article', { class: 'dispatch live' },
      h('div', { class: 'stage' }, this.#canvas, this.#all),
      h('div', { class: 'side' },
        backLink(app.me),
        h('h1', { tabindex: '-1' }, t('dispatch.title')),
        legend(),
        h('form', { class: 'dispatch-filter', role: 'search', onsubmit: (event) => event.preventDefault() },
          h('label', { for: 'dispatch-status' }, t('bookings.show')), this.#status,
          h('label', { for: 'dispatch-search' }, t('dispatch.search')), this.#search),
        this.#problem, this.#empty, this.#list.element, this.#list.pager));
    this.#connection = new RealtimeConnection({ token: app.session.token });
    this.#live = this.#connection.live({ maxRate: this.#rate });
    this.stream = new SteadyState(this.#live);
    this.#bookings = new Bookings({ now: () => this.#connection.serverNow(), onChange: (entry, kind) => this.#changed(entry, kind) });
    this.#reader = new Reader({ session: app.session, bookings: this.#bookings, stream: this.stream, onDone: () => this.#read(), onFail: (error) => this.#fail(error) });
    this.#listen();
  }

  /** Draw the map when the element is on the page: Leaflet needs its size. */
  opened() {
    const { tileUrl, attribution, demo } = this.#app.configuration;
    this.#map = new DispatchMap(this.#canvas, {
      tileUrl, attribution, demo,
      view: this.#kept.view,
      onSelect: (id) => this.#pressed(id, true),
      onSettled: () => this.#settled(),
    });
    this.#off = everySecond(() => this.#tick());
    this.#live.start();
    this.#reader.start();
    this.#show();
  }

  close() {
    if (this.#begun) this.#kept.view = this.#map.view;
    this.#off?.();
    clearTimeout(this.#gathering);
    clearTimeout(this.#announcing);
    this.#reader.stop();
    this.#connection.stop();
    this.#selection?.close();
    this.#map?.close();
  }

  // ── what arrives ──

  #listen() {
    const live = this.#live;
    live.on('page', (page) => {
      this.#bookings.page(page, this.#box);
      if (page.last) this.#received('live');
    });
    live.on('status', (event) => {
      this.#bookings.status(event);
      if (event.booking_id === this.#kept.selected) this.#announceSelected();
    });
    live.on('location', (location) => this.#bookings.location(location));
    live.on('left', (frame) => this.#bookings.left(frame));
    live.on('state', ({ name, reason }) => {
      if (name === 'closed' && reason === 'forbidden') this.#app.leave(t('dispatch.staffOnly'));
    });
  }

  #read() {
    this.#problem.hidden = true;
    this.#received('read');
  }

  #fail(error) {
    fill(this.#problem, t('dispatch.failed', { message: error.message }), ' ', h('button', { type: 'button', class: 'quiet', onclick: () => void this.#reader.all() }, t('waiting.again')));
    this.#problem.hidden = false;
  }

  #received(source) {
    this.#complete[source] = true;
    if (this.#complete.live && this.#complete.read) {
      if (!this.#begun) this.#begin();
      this.#settled();
    }
    this.#later();
  }

  /** Show everything, or what was shown the last time. In the demo, one booking is selected. */
  #begin() {
    this.#begun = true;
    this.#map.complete();
    if (!this.#kept.view) this.#showAll();
    if (!this.#selection) this.#select(this.#kept.selected ?? (this.#app.configuration.demo ? this.#toDrive() : undefined));
  }

  #changed(entry, kind) {
    if (kind === 'gone') {
      this.#map?.remove(entry.id);
      this.#stale.delete(entry.id);
    } else {
      this.#mark(entry);
    }
    if (kind !== 'location') this.#later();
  }

  #mark(entry) {
    const stale = this.#bookings.isStale(entry);
    if (stale) this.#stale.add(entry.id);
    else this.#stale.delete(entry.id);
    this.#map?.show(entry, stale);
  }

  #tick() {
    for (const entry of this.#bookings.all) if (this.#bookings.isStale(entry) !== this.#stale.has(entry.id)) this.#mark(entry);
    this.#list.tick(this.#bookings);
  }

  #ageOf(entry) {
    if (!entry.location) return undefined;
    return { milliseconds: Math.max(0, this.#connection.serverNow() - entry.locatedAt), stale: this.#bookings.isStale(entry) };
  }

  // ── the part of the map ──

  #settled() {
    const locations = this.#bookings.all.map(({ location }) => location).filter(Boolean);
    const box = boxToAsk(this.#box, this.#map.bounds, locations);
    const rate = rateToAsk(this.#rate, this.#bookings.size);
    if ((String(box) === String(this.#box) && rate === this.#rate) || !this.#begun) return;
    this.#box = box;
    this.#rate = rate;
    this.stream.watch({ bbox: box, maxRate: rate });
  }

  #showAll() {
    this.#map.fit(this.#bookings.all.map(placeOf).filter(Boolean));
  }

  // ── the list ──

  /** Show the list soon, together with other changes. */
  #later() {
    this.#gathering ??= setTimeout(() => this.#show(), GATHER_MS);
  }

  #shown() {
    return matching(this.#bookings.all, this.#kept);
  }

  #show() {
    clearTimeout(this.#gathering);
    this.#gathering = undefined;
    const entries = this.#shown();
    const selected = this.#bookings.get(this.#kept.selected);
    if (selected) this.#selection?.show(selected, Boolean(placeOf(selected)));
    this.#list.show(entries);
    this.element.dataset.count = entries.length;
    this.#empty.hidden = entries.length > 0;
    say(this.#empty, entries.length ? '' : t(this.#whyEmpty()));
  }

  #whyEmpty() {
    if (this.#bookings.size) return 'dispatch.noMatch';
    if (!this.#complete.read) return 'dispatch.loading';
    return this.#app.configuration.demo ? 'dispatch.noneDemo' : 'dispatch.none';
  }

  #filter() {
    this.#kept.status = this.#status.value;
    this.#kept.search = this.#search.value;
    this.#list.rewind();
    this.#show();
    clearTimeout(this.#announcing);
    this.#announcing = setTimeout(() => announce(t('dispatch.found', { count: this.#shown().length })), 700);
  }

  // ── the selected booking ──

  #pressed(id, onMap = false) {
    if (id === this.#kept.selected && !onMap) return this.#select(undefined);
    if (onMap && !this.#shown().some((entry) => entry.id === id)) this.#unfilter();
    this.#select(id);
    const entry = this.#bookings.get(id);
    const place = entry && placeOf(entry);
    if (onMap) {
      this.#list.reveal(id);
      this.#announceSelected();
    } else if (place) this.#map.centre(place);
  }

  #unfilter() {
    this.#status.value = this.#search.value = this.#kept.status = this.#kept.search = '';
    this.#show();
  }

  /** Return the id of the first booking with a worker, else of the first one. */
  #toDrive() {
    const shown = this.#shown();
    return (shown.find(({ status }) => status !== 'requested') ?? shown[0])?.id;
  }

  #select(id) {
    const entry = this.#bookings.get(id);
    this.#selection?.close();
    this.#kept.selected = entry?.id;
    this.#bookings.keep(entry?.id);
    this.#selection = entry && new Selection(this.#app, entry, (booking) => this.#bookings.read(booking));
    this.#map.select(entry?.id);
    this.#list.select(entry?.id, this.#selection?.element);
    this.#show();
  }

  #announceSelected() {
    const entry = this.#bookings.get(this.#kept.selected);
    if (entry?.details) announce(t('dispatch.selected', { service: entry.details.service, status: statusWords(entry.status) }));
  }
}

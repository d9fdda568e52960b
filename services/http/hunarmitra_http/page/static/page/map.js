/** The map with the site, the worker and the trail, drawn by Leaflet's global `L`. */

import { h, say } from './dom.js';

/** The shortest and longest glide in milliseconds; between them it takes the time between two locations. */
const SHORTEST = 250;
const LONGEST = 2500;
/** Metres: the marker jumps over a longer distance instead of gliding. */
const JUMP = 5000;
const LONGEST_TRAIL = 2000;
const ZOOM = 15;

const NO_PLACE = 'No map: this booking has no coordinates, and the worker’s location is not known yet.';
const NO_TILES = 'Only a grid: MAP_TILE_URL is not set.';
const TILES_FAIL = 'Only a grid: the map tiles cannot be loaded.';

const still = matchMedia('(prefers-reduced-motion: reduce)');

/** The grid below the tiles, visible where none are loaded. */
const Grid = L.GridLayer.extend({ createTile: () => L.DomUtil.create('div', 'grid-tile') });

const pin = (name) => L.divIcon({ className: `marker ${name}`, iconSize: [36, 36], iconAnchor: [18, 18] });

export class LiveMap {
  #element;
  #map;
  #site;
  #note = h('p', { class: 'map-note' });
  #ground; // why there is only a grid, if so
  #marker;
  #trail;
  #points = [];
  #shownAt = -Infinity;
  #frame;
  #follows = true;
  #ours = false;
  #onFollow;
  #watcher;

  /** `onFollow(following)`: whether the map keeps the worker in view. Moving the map by hand ends that. */
  constructor(element, { tileUrl, attribution, site, onFollow }) {
    this.#element = element;
    this.#site = site;
    this.#onFollow = onFollow;
    this.#map = L.map(element, { zoomControl: false, attributionControl: Boolean(tileUrl), zoomSnap: 0.5 });
    this.#map.attributionControl?.setPrefix(false);
    // Without a site there is no view until the worker has a location: any other place would be misleading.
    if (site) this.#map.setView(site, ZOOM);
    new Grid({ tileSize: 128 }).addTo(this.#map);
    if (tileUrl) this.#addTiles(tileUrl, attribution);
    else this.#ground = NO_TILES;
    element.after(this.#note);
    L.control.zoom({ position: 'bottomright' }).addTo(this.#map);
    L.control.scale({ imperial: false, position: 'bottomleft' }).addTo(this.#map);
    if (site) L.marker(site, { icon: pin('site'), interactive: false, keyboard: false }).addTo(this.#map);
    this.#map.on('movestart zoomstart', () => !this.#ours && this.#follow(false));
    this.#watcher = new ResizeObserver(() => this.#refit());
    this.#watcher.observe(element);
    this.#explain();
  }

  #addTiles(url, attribution) {
    const tiles = L.tileLayer(url, { attribution: escaped(attribution), maxZoom: 19 }).addTo(this.#map);
    tiles.on('tileerror', () => this.#explain((this.#ground = TILES_FAIL)));
    tiles.on('tileload', () => this.#explain((this.#ground = undefined)));
  }

  /** Say why there is no map, or only a grid. */
  #explain() {
    const nowhere = !this.#site && !this.#marker;
    this.#element.inert = nowhere;
    this.#note.classList.toggle('nowhere', nowhere);
    const words = nowhere ? NO_PLACE : this.#ground;
    this.#note.hidden = !words;
    say(this.#note, words ?? '');
  }

  /** Move the worker to a location. */
  show({ lat, lng }) {
    const to = L.latLng(lat, lng);
    const now = performance.now();
    const glide = Math.min(LONGEST, Math.max(SHORTEST, now - this.#shownAt));
    this.#shownAt = now;
    this.#element.dataset.worker = `${lat},${lng}`;
    if (!this.#marker) this.#place(to);
    else if (still.matches || document.hidden || this.#marker.getLatLng().distanceTo(to) > JUMP) this.#jump(to);
    else this.#glide(to, glide);
    this.#keepInView(to);
  }

  /** Remove the worker and the trail. */
  hide() {
    cancelAnimationFrame(this.#frame);
    this.#marker?.remove();
    this.#trail?.remove();
    this.#marker = this.#trail = undefined;
    this.#points = [];
    this.#shownAt = -Infinity;
    delete this.#element.dataset.worker;
    this.#explain();
  }

  /** Mark the location as old, or not. */
  stale(is) {
    this.#marker?.getElement()?.classList.toggle('stale', is);
  }

  /** Keep the worker in view again. */
  recentre() {
    this.#follow(true);
    this.#fit();
  }

  remove() {
    cancelAnimationFrame(this.#frame);
    this.#watcher.disconnect();
    this.#note.remove();
    this.#map.remove();
  }

  #place(at) {
    this.#points = [at];
    this.#trail = L.polyline([at], { className: 'trail', interactive: false }).addTo(this.#map);
    this.#marker = L.marker(at, { icon: pin('worker'), interactive: false, keyboard: false, zIndexOffset: 1000 }).addTo(this.#map);
    this.#explain();
    this.#fit();
  }

  #jump(to) {
    cancelAnimationFrame(this.#frame);
    this.#settle(to);
    this.#marker.setLatLng(to);
    this.#trail.setLatLngs(this.#points);
  }

  #glide(to, duration) {
    cancelAnimationFrame(this.#frame);
    const from = this.#marker.getLatLng();
    const start = performance.now();
    this.#settle(from);
    const step = (now) => {
      const part = Math.min(1, Math.max(0, (now - start) / duration));
      const at = L.latLng(from.lat + (to.lat - from.lat) * part, from.lng + (to.lng - from.lng) * part);
      this.#marker.setLatLng(at);
      this.#trail.setLatLngs([...this.#points, at]);
      if (part < 1) this.#frame = requestAnimationFrame(step);
    };
    this.#frame = requestAnimationFrame(step);
  }

  #settle(at) {
    if (this.#points.length === LONGEST_TRAIL) this.#points.shift();
    this.#points.push(at);
  }

  #follow(follows) {
    if (follows === this.#follows) return;
    this.#follows = follows;
    this.#onFollow(follows);
  }

  #keepInView(to) {
    if (this.#follows && !this.#map.getBounds().pad(-0.15).contains(to)) this.#fit(to);
  }

  #fit(at = this.#marker?.getLatLng()) {
    const points = [this.#site, at].filter(Boolean);
    if (!this.#follows || !points.length) return;
    this.#move(() => this.#map.fitBounds(L.latLngBounds(points), { padding: [56, 56], maxZoom: ZOOM + 2, animate: false }));
  }

  #refit() {
    this.#move(() => this.#map.invalidateSize({ animate: false }));
    this.#fit();
  }

  /** Change the view by program, which does not count as a move by hand. */
  #move(change) {
    this.#ours = true;
    try {
      change();
    } finally {
      this.#ours = false;
    }
  }
}

/** Escape text for Leaflet, which takes attributions as HTML. */
function escaped(text) {
  const element = document.createElement('i');
  element.textContent = text;
  return element.innerHTML;
}

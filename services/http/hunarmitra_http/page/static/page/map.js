/** The map with the site, the worker and the trail, drawn by Leaflet's global `L`. */

import { h, say } from './dom.js';
import { moved } from './geometry.js';
import { Ground } from './ground.js';
import { t } from './languages.js';

/** The shortest and longest glide in milliseconds; between them it takes the time between two locations. */
const SHORTEST = 250;
const LONGEST = 2500;
/** Metres: the marker jumps over a longer distance instead of gliding. */
const JUMP = 5000;
const LONGEST_TRAIL = 2000;
const ZOOM = 15;
/** Pixels kept free at the edges, for the pins, the note above and the buttons below. */
const ROOM = { paddingTopLeft: [48, 76], paddingBottomRight: [64, 48] };
/** Metres: a smaller circle of the accuracy would hide behind the marker. */
const LEAST_ACCURACY = 15;
/** Metres that an arrow key moves the demo's worker. */
const STEP = 40;
const ARROWS = { ArrowUp: [STEP, 0], ArrowDown: [-STEP, 0], ArrowLeft: [0, -STEP], ArrowRight: [0, STEP] };

const still = matchMedia('(prefers-reduced-motion: reduce)');

const pin = (name, html = false) => L.divIcon({ className: `marker ${name}`, html, iconSize: [36, 36], iconAnchor: [18, 18] });

export class LiveMap {
  #element;
  #map;
  #site;
  #note = h('p', { class: 'map-note' });
  #ground;
  #marker;
  #direction; // the arrow of the worker's heading
  #accuracy; // the circle of it
  #hand; // the demo's device, moved by its marker
  #handMarker;
  #trail;
  #points = [];
  #shownAt = -Infinity;
  #frame;
  #follows = true;
  #ours = false;
  #onFollow;
  #watcher;

  /** `onFollow(following)`: whether the map keeps the worker in view. Moving the map by hand ends that. */
  constructor(element, { tileUrl, attribution, city: invented, site, onFollow }) {
    this.#element = element;
    this.#site = site;
    this.#onFollow = onFollow;
    this.#map = L.map(element, { zoomControl: false, attributionControl: Boolean(tileUrl), zoomSnap: 0.5 });
    this.#map.attributionControl?.setPrefix(false);
    // Without a site there is no view until the worker has a location: any other place would be misleading.
    if (site) this.#map.setView(site, ZOOM);
    this.#ground = new Ground(this.#map, { tileUrl, attribution, site: invented && site, onChange: () => this.#explain() });
    element.after(this.#note);
    L.control.zoom({ position: 'bottomright', zoomInTitle: t('map.zoomIn'), zoomOutTitle: t('map.zoomOut') }).addTo(this.#map);
    L.control.scale({ imperial: false, position: 'bottomleft' }).addTo(this.#map);
    if (site) L.marker(site, { icon: pin('site'), interactive: false, keyboard: false }).addTo(this.#map);
    this.#map.on('movestart zoomstart', () => !this.#ours && this.#follow(false));
    this.#watcher = new ResizeObserver(() => this.#refit());
    this.#watcher.observe(element);
    this.#explain();
  }

  /** Say why there is no map, or only a grid. */
  #explain() {
    const nowhere = !this.#site && !this.#marker && !this.#handMarker;
    this.#element.inert = nowhere;
    this.#note.classList.toggle('nowhere', nowhere);
    const words = nowhere ? t('map.nowhere') : this.#ground.words;
    this.#note.hidden = !words;
    say(this.#note, words ?? '');
  }

  /** Move the worker to a location. */
  show({ lat, lng, accuracy, heading }) {
    const to = L.latLng(lat, lng);
    const now = performance.now();
    const glide = Math.min(LONGEST, Math.max(SHORTEST, now - this.#shownAt));
    this.#shownAt = now;
    this.#element.dataset.worker = `${lat},${lng}`;
    if (!this.#marker) this.#place(to);
    else if (still.matches || document.hidden || this.#marker.getLatLng().distanceTo(to) > JUMP) this.#jump(to);
    else this.#glide(to, glide);
    this.#turn(heading);
    this.#surround(to, accuracy);
    this.#keepInView(to);
  }

  #turn(heading) {
    this.#direction.hidden = heading === undefined;
    if (heading !== undefined) this.#direction.style.transform = `rotate(${heading}deg)`;
    this.#element.dataset.heading = heading ?? '';
  }

  #surround(at, metres = 0) {
    const radius = metres < LEAST_ACCURACY ? 0 : metres;
    this.#accuracy.setLatLng(at).setRadius(radius);
    this.#element.dataset.accuracy = radius;
  }

  /** Let the demo's worker be moved by hand: with a pointer, or with the arrow keys. */
  takeHand(device, label) {
    if (this.#hand === device) return;
    this.dropHand();
    this.#hand = device;
    const icon = pin('worker hand');
    const marker = L.marker(device.at, { icon, draggable: true, keyboard: true, zIndexOffset: 2000 }).addTo(this.#map);
    const tell = () => {
      const { lat, lng } = marker.getLatLng();
      device.moveTo([Number(lat.toFixed(6)), Number(lng.toFixed(6))]);
    };
    marker.on('drag', tell);
    const handle = marker.getElement();
    handle.setAttribute('aria-label', label);
    handle.title = label;
    handle.addEventListener('keydown', (event) => {
      const step = ARROWS[event.key];
      if (!step) return;
      event.preventDefault();
      event.stopPropagation();
      marker.setLatLng(moved(device.at, ...step));
      tell();
    });
    this.#handMarker = marker;
    this.#element.classList.add('by-hand');
    this.#explain();
    this.#fit(L.latLng(device.at));
  }

  dropHand() {
    this.#handMarker?.remove();
    this.#hand = this.#handMarker = undefined;
    this.#element.classList.remove('by-hand');
  }

  /** Remove the worker and the trail. */
  hide() {
    cancelAnimationFrame(this.#frame);
    this.#marker?.remove();
    this.#trail?.remove();
    this.#accuracy?.remove();
    this.#marker = this.#trail = this.#accuracy = undefined;
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
    this.#ground.remove();
    this.#watcher.disconnect();
    this.#note.remove();
    this.#map.remove();
  }

  #place(at) {
    this.#points = [at];
    this.#trail = L.polyline([at], { className: 'trail', interactive: false }).addTo(this.#map);
    this.#accuracy = L.circle(at, { radius: 0, className: 'accuracy', interactive: false }).addTo(this.#map);
    this.#direction = h('span', { class: 'direction', hidden: true });
    this.#marker = L.marker(at, { icon: pin('worker', this.#direction), interactive: false, keyboard: false, zIndexOffset: 1000 }).addTo(this.#map);
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
      // Leaflet rounds to whole pixels: a slow marker would stand and jump.
      L.DomUtil.setPosition(this.#marker.getElement(), this.#map.project(at).subtract(this.#map.getPixelOrigin()));
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
    // A map that moves under the hand that drags on it cannot be used.
    if (this.#follows && !this.#hand && !this.#map.getBounds().pad(-0.15).contains(to)) this.#fit(to);
  }

  #fit(at = this.#marker?.getLatLng()) {
    const points = [this.#site, at].filter(Boolean);
    if (!this.#follows || !points.length) return;
    this.#move(() => this.#map.fitBounds(L.latLngBounds(points), { ...ROOM, maxZoom: ZOOM + 2, animate: false }));
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

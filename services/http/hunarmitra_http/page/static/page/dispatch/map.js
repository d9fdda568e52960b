/** The map of all bookings: the ground by Leaflet's global `L`, and the markers on one canvas above it. */
import { h, say } from '../dom.js';
import { Ground } from '../ground.js';
import { t } from '../languages.js';
import { placeOf } from './bookings.js';
import { project } from './glide.js';
import { Markers } from './markers.js';
import { Sprites, STATUSES } from './shapes.js';

/** Where the map begins while nothing has a place: Connaught Place, New Delhi. */
const SOMEWHERE = [28.6315, 77.2167];
const ZOOM = 14;
const CLOSEST = 16;
/** Pixels kept free at the edges when everything is shown. */
const PADDING = [48, 48];
/** Milliseconds from the last move of the map to the new subscription. */
const SETTLED_MS = 300;
/** More visible markers than this are drawn smaller. */
const CROWD = 300;

const still = matchMedia('(prefers-reduced-motion: reduce)');
const dark = matchMedia('(prefers-color-scheme: dark)');

export class DispatchMap {
  #element;
  #map;
  #ground;
  #canvas = h('canvas', { class: 'markers', 'aria-hidden': 'true' });
  #pen = this.#canvas.getContext('2d');
  #sprites; // {usual, crowd}
  #markers = new Markers();
  #selected;
  #frame;
  #settling;
  #note = h('p', { class: 'map-note' });
  #reason = h('p', { class: 'map-note reason', role: 'status', hidden: true });
  #complete = false;
  #watcher;
  #onSelect;
  #onSettled;

  /** `onSelect(id)`: a marker was pressed. `onSettled()`: the map shows another part, and has come to rest. `view`: see `view`. */
  constructor(element, { tileUrl, attribution, demo, view, onSelect, onSettled }) {
    this.#element = element;
    this.#onSelect = onSelect;
    this.#onSettled = onSettled;
    // The canvas follows each step of a move, but not the style with which Leaflet animates a zoom.
    this.#map = L.map(element, { zoomControl: false, attributionControl: Boolean(tileUrl), zoomSnap: 0.5, zoomAnimation: false, worldCopyJump: true, maxZoom: 19 });
    this.#map.attributionControl?.setPrefix(false);
    this.#map.setView(view?.centre ?? SOMEWHERE, view?.zoom ?? ZOOM);
    this.#ground = new Ground(this.#map, { tileUrl, attribution, site: demo && SOMEWHERE, onChange: () => this.#explain() });
    element.append(this.#canvas);
    element.after(this.#note, this.#reason);
    L.control.zoom({ position: 'bottomright', zoomInTitle: t('map.zoomIn'), zoomOutTitle: t('map.zoomOut') }).addTo(this.#map);
    L.control.scale({ imperial: false, position: 'bottomleft' }).addTo(this.#map);
    this.#map.on('move zoom viewreset', () => this.#draw());
    this.#map.on('moveend', () => this.#settle());
    this.#map.on('click', ({ containerPoint: { x, y } }) => this.#press(x, y));
    this.#map.on('mousemove', ({ containerPoint: { x, y } }) => element.classList.toggle('on-marker', this.#markers.at(x, y) !== undefined));
    this.#watcher = new ResizeObserver(() => this.#resize());
    this.#watcher.observe(element);
    dark.addEventListener('change', this.#recolour);
    this.#recolour();
    this.#resize();
    this.#explain();
  }

  /** What the map shows, for its next time. */
  get view() {
    const { lat, lng } = this.#map.getCenter();
    return { centre: [lat, lng], zoom: this.#map.getZoom() };
  }

  /** The visible part, whose longitudes may lie beyond 180. */
  get bounds() {
    const box = this.#map.getBounds();
    return { west: box.getWest(), south: box.getSouth(), east: box.getEast(), north: box.getNorth() };
  }

  /** Show the marker of an entry where it is now, or none. */
  show(entry, stale) {
    const place = placeOf(entry);
    const drawn = place && STATUSES.includes(entry.status);
    if (!drawn) this.#markers.remove(entry.id);
    else this.#markers.set(entry.id, project(place), { status: entry.status, stale, heading: entry.location?.heading }, performance.now(), still.matches || document.hidden);
    this.#later();
  }

  remove(id) {
    this.#markers.remove(id);
    this.#later();
  }

  select(id) {
    this.#selected = id;
    this.#later();
  }

  /** Move a place to the middle, closer if the map shows more than a town. */
  centre(place) {
    this.#map.setView(place, Math.max(this.#map.getZoom(), ZOOM), { animate: false });
  }

  /** Show all these places. */
  fit(places) {
    if (places.length) this.#map.fitBounds(L.latLngBounds(places), { padding: PADDING, maxZoom: CLOSEST, animate: false });
  }

  close() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#settling);
    dark.removeEventListener('change', this.#recolour);
    this.#watcher.disconnect();
    this.#ground.remove();
    this.#note.remove();
    this.#reason.remove();
    this.#map.remove();
  }

  /** Everything was received: from now on an empty map says why it is empty. */
  complete() {
    this.#complete = true;
    this.#later();
  }

  #press(x, y) {
    const id = this.#markers.at(x, y);
    if (id !== undefined) this.#onSelect(id);
  }

  #settle() {
    clearTimeout(this.#settling);
    this.#settling = setTimeout(this.#onSettled, SETTLED_MS);
  }

  #explain() {
    const { words } = this.#ground;
    this.#note.hidden = !words;
    say(this.#note, words ?? '');
  }

  #recolour = () => {
    const styles = getComputedStyle(this.#element);
    const colours = (name) => styles.getPropertyValue(`--marker-${name.replaceAll('_', '-')}`).trim();
    this.#sprites = { usual: new Sprites(density(), colours), crowd: new Sprites(density(), colours, true) };
    this.#later();
  };

  #resize() {
    this.#map.invalidateSize({ animate: false });
    const { x: width, y: height } = this.#map.getSize();
    this.#canvas.width = Math.ceil(width * density());
    this.#canvas.height = Math.ceil(height * density());
    this.#canvas.style.width = `${width}px`;
    this.#canvas.style.height = `${height}px`;
    this.#draw();
  }

  /** Draw in the next frame. */
  #later() {
    this.#frame ??= requestAnimationFrame(() => this.#draw());
  }

  #draw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = undefined;
    const { x: width, y: height } = this.#map.getSize();
    const corner = this.#map.containerPointToLayerPoint([0, 0]).add(this.#map.getPixelOrigin());
    const view = { scale: 256 * 2 ** this.#map.getZoom(), left: -corner.x, top: -corner.y, width, height, density: density() };
    const sprites = this.#markers.visible > CROWD ? this.#sprites.crowd : this.#sprites.usual;
    const moving = this.#markers.draw(this.#pen, sprites, view, this.#selected, performance.now());
    if (moving) this.#later();
    this.#tell();
  }

  /** Say how many markers there are, and why none is visible. */
  #tell() {
    const { size, visible } = this.#markers;
    if (this.#element.dataset.markers !== String(size)) this.#element.dataset.markers = size;
    this.#reason.hidden = !this.#complete || visible > 0;
    if (!this.#reason.hidden) say(this.#reason, t(size ? 'dispatch.elsewhere' : 'dispatch.noPlaces'));
  }
}

const density = () => Math.min(2, devicePixelRatio || 1);

/** All markers on one canvas. One frame costs one call for each visible marker; markers are no elements of the document. */
import { Glide } from './glide.js';
import { directionOf } from './shapes.js';

/** Pixels around a marker in which a click or a finger finds it. */
const NEAR = 22;
/** Pixels outside the view in which a marker may still be visible. */
const SPARE = 24;

export class Markers {
  #markers = new Map(); // id → {glide, status, stale, direction, x, y}; x and y are undefined outside the view

  /** How many the last frame showed. */
  visible = 0;

  get size() {
    return this.#markers.size;
  }

  /** Show a marker at a place of the plane (see glide.js), or move it there. */
  set(id, [x, y], { status, stale, heading }, now, atOnce) {
    let marker = this.#markers.get(id);
    if (marker) marker.glide.to(x, y, now, atOnce);
    else this.#markers.set(id, (marker = { glide: new Glide(x, y, now) }));
    marker.status = status;
    marker.stale = stale;
    marker.direction = status === 'on_the_way' && !stale ? directionOf(heading) : undefined;
  }

  remove(id) {
    this.#markers.delete(id);
  }

  /** Return where a marker is in the plane, or undefined. */
  placeOf(id) {
    const marker = this.#markers.get(id);
    return marker && [marker.glide.x, marker.glide.y];
  }

  /**
   * Draw all markers. `view`: pixels for the plane's width (`scale`), the pixel of its corner (`left`, `top`), the size of
   * the canvas in pixels, and pixels of the device for each (`density`). Returns whether any marker is moving.
   */
  draw(pen, sprites, { scale, left, top, width, height, density }, selected, now) {
    pen.clearRect(0, 0, width * density, height * density);
    let moving = false;
    this.visible = 0;
    let last;
    for (const [id, marker] of this.#markers) {
      moving = marker.glide.step(now) || moving;
      // The world repeats beside itself.
      const x = nearest(marker.glide.x * scale + left, scale, width);
      const y = marker.glide.y * scale + top;
      marker.x = undefined;
      if (x < -SPARE || y < -SPARE || x > width + SPARE || y > height + SPARE) continue;
      marker.x = x;
      marker.y = y;
      this.visible++;
      if (id === selected) last = marker;
      else put(pen, pictureOf(sprites, marker), marker, density);
    }
    if (last) {
      put(pen, pictureOf(sprites, last), last, density);
      put(pen, sprites.ring, last, density);
    }
    return moving;
  }

  /** Return the id of the marker at a pixel, the nearest one; undefined if there is none. */
  at(x, y) {
    let found;
    let distance = NEAR;
    for (const [id, marker] of this.#markers) {
      const away = marker.x === undefined ? Infinity : Math.hypot(marker.x - x, marker.y - y);
      if (away < distance) [found, distance] = [id, away];
    }
    return found;
  }
}

const pictureOf = (sprites, { status, stale, direction }) => sprites.get(status, stale, direction);

/** Fractions of a pixel are kept, so that a slow marker glides. */
const put = (pen, picture, { x, y }, density) => pen.drawImage(picture, x * density - picture.width / 2, y * density - picture.width / 2);

/** Return the copy of a place in a world `scale` pixels wide that is nearest to the middle of the view. */
const nearest = (x, scale, width) => x - Math.round((x - width / 2) / scale) * scale;

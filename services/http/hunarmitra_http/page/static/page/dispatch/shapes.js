/** The shapes of the markers, on the canvas and in the legend: one for each status, so that colour is never needed. */

/** Paths of 24 by 24 units around the middle of 32 by 32. */
const PATHS = {
  requested: 'M16 3 29 16 16 29 3 16Z',
  confirmed: 'M6 6H26V26H6Z',
  on_the_way: 'M16 5A11 11 0 1 1 16 27A11 11 0 1 1 16 5Z',
  arrived: 'M16 4 28 14V28H4V14Z',
};
/** A worker who was not heard of is only an outline with a bar. */
const BAR = 'M9 23 23 9';
/** The arrow of the heading, above a circle. */
const ARROW = 'M16 -6 24 8H8Z';
/** Side of a marker in pixels, and in a crowd. */
const SIZE = 26;
const SMALL = 16;
const UNITS = 32;
/** Sides of the pictures in units: a marker, one with an arrow, and the ring. Pictures as small as possible are drawn faster. */
const ROOM = { plain: 36, arrow: 50, ring: 52 };
/** Directions that an arrow can have. */
const DIRECTIONS = 32;

export const STATUSES = Object.keys(PATHS);

/** Return the direction of an arrow as a whole number, or undefined. */
export const directionOf = (heading) => (heading === undefined || heading === null ? undefined : Math.round((heading / 360) * DIRECTIONS) % DIRECTIONS);

/** Pictures of markers, each drawn once. `colours(name)`: a colour of the page. `small`: for a crowd. */
export class Sprites {
  #made = new Map();
  #unit; // in pixels of the device
  #colours;

  constructor(density, colours, small = false) {
    this.#unit = (density * (small ? SMALL : SIZE)) / UNITS;
    this.#colours = colours;
  }

  get(status, stale, direction) {
    const key = `${status} ${stale} ${direction}`;
    if (!this.#made.has(key)) this.#made.set(key, this.#draw(status, stale, direction));
    return this.#made.get(key);
  }

  /** The ring around the selected marker. */
  get ring() {
    if (!this.#made.has('ring')) this.#made.set('ring', this.#drawRing());
    return this.#made.get('ring');
  }

  #canvas(room) {
    const canvas = document.createElement('canvas');
    canvas.width = canvas.height = Math.ceil(room * this.#unit);
    const pen = canvas.getContext('2d');
    pen.translate(canvas.width / 2, canvas.width / 2);
    pen.scale(this.#unit, this.#unit);
    return { canvas, pen };
  }

  #draw(status, stale, direction) {
    const { canvas, pen } = this.#canvas(direction === undefined ? ROOM.plain : ROOM.arrow);
    const [colour, edge] = [this.#colours(status), this.#colours('edge')];
    pen.lineJoin = pen.lineCap = 'round';
    if (direction !== undefined) {
      pen.save();
      pen.rotate((direction / DIRECTIONS) * 2 * Math.PI);
      pen.translate(-UNITS / 2, -UNITS / 2);
      paint(pen, new Path2D(ARROW), { fill: colour, stroke: edge, width: 1.5 });
      pen.restore();
    }
    pen.translate(-UNITS / 2, -UNITS / 2);
    const path = new Path2D(PATHS[status]);
    if (stale) {
      paint(pen, path, { fill: edge, stroke: edge, width: 7 });
      paint(pen, path, { stroke: colour, width: 3 });
      paint(pen, new Path2D(BAR), { stroke: colour, width: 3 });
    } else {
      paint(pen, path, { stroke: edge, width: 5 });
      paint(pen, path, { fill: colour });
    }
    return canvas;
  }

  #drawRing() {
    const { canvas, pen } = this.#canvas(ROOM.ring);
    const ring = new Path2D();
    ring.arc(0, 0, 22, 0, 2 * Math.PI);
    paint(pen, ring, { stroke: this.#colours('edge'), width: 7 });
    paint(pen, ring, { stroke: this.#colours('ring'), width: 3.5 });
    return canvas;
  }
}

function paint(pen, path, { fill, stroke, width }) {
  if (stroke) {
    pen.strokeStyle = stroke;
    pen.lineWidth = width;
    pen.stroke(path);
  }
  if (fill) {
    pen.fillStyle = fill;
    pen.fill(path);
  }
}

const SVG = 'http://www.w3.org/2000/svg';

/** Return the shape as a picture for the legend and the list; screen readers skip it. */
export function icon(status, stale = false) {
  const svg = document.createElementNS(SVG, 'svg');
  for (const [name, value] of Object.entries({ viewBox: '0 0 32 32', class: 'shape', 'aria-hidden': 'true', 'data-status': status })) svg.setAttribute(name, value);
  svg.classList.toggle('stale', stale);
  for (const [path, kind] of [[PATHS[status], 'outline'], stale && [BAR, 'bar']].filter(Boolean)) {
    const element = document.createElementNS(SVG, 'path');
    element.setAttribute('d', path ?? '');
    element.setAttribute('class', kind);
    svg.append(element);
  }
  return svg;
}

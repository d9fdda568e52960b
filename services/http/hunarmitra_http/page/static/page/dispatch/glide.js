/** A point that moves evenly from place to place, in the plane of the Web Mercator map: from 0 to 1 in both directions. */

/** The shortest and longest glide in milliseconds; between them it takes the time between two locations. */
const SHORTEST = 250;
const LONGEST = 5000;
/** A longer way is a jump, as a part of the earth's circumference: five kilometres at the equator. */
const JUMP = 5000 / 40_075_017;

/** Return the place of a latitude and a longitude. */
export function project([lat, lng]) {
  const sine = Math.sin((Math.max(-85.0511, Math.min(85.0511, lat)) * Math.PI) / 180);
  return [lng / 360 + 0.5, 0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)];
}

export class Glide {
  #fromX;
  #fromY;
  #toX;
  #toY;
  #begun;
  #length = 0;
  #told;

  constructor(x, y, now) {
    this.#told = now;
    this.#jump(x, y);
  }

  /** Where it is as of the last `step`. */
  x;
  y;

  /** Move there from where it is now; at once if `atOnce`, or if it is far. */
  to(x, y, now, atOnce = false) {
    const since = now - this.#told;
    this.#told = now;
    if (x === this.#toX && y === this.#toY) return;
    this.step(now);
    if (atOnce || Math.hypot(x - this.x, y - this.y) > JUMP) return this.#jump(x, y);
    [this.#fromX, this.#fromY, this.#toX, this.#toY] = [this.x, this.y, x, y];
    this.#begun = now;
    this.#length = Math.min(LONGEST, Math.max(SHORTEST, since));
  }

  /** Move to where it is at this time. Returns whether it is still moving. */
  step(now) {
    if (!this.#length) return false;
    const part = Math.max(0, (now - this.#begun) / this.#length);
    if (part >= 1) {
      this.#jump(this.#toX, this.#toY);
      return false;
    }
    this.x = this.#fromX + (this.#toX - this.#fromX) * part;
    this.y = this.#fromY + (this.#toY - this.#fromY) * part;
    return true;
  }

  #jump(x, y) {
    this.x = this.#toX = x;
    this.y = this.#toY = y;
    this.#length = 0;
  }
}

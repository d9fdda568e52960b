/** A canvas that counts, and bookings as REST and the channel have them. */

export class CountingPen {
  calls = {};
  drawn = [];

  clearRect() {
    this.#count('clearRect');
  }

  drawImage(picture, x, y) {
    this.#count('drawImage');
    this.drawn.push({ picture, x, y });
  }

  #count(name) {
    this.calls[name] = (this.calls[name] ?? 0) + 1;
  }
}

const picture = (name) => ({ name, width: 44 });
export const sprites = { ring: picture('ring'), get: (...key) => picture(key.join(' ')) };
export const VIEW = { scale: 1000, left: 0, top: 0, width: 1000, height: 1000, density: 1 };

export const T0 = Date.parse('2026-01-02T03:04:05Z');
export const at = (seconds) => new Date(T0 + seconds * 1000).toISOString();

export const booking = (id, seq, status, more) => ({
  id, seq, status, service: 'Tap repair', address: '', lat: '28.63', lng: '77.21', owner: { id: 'o', name: 'Asha Verma' }, worker: null, created_at: at(0), ...more,
});
export const location = (id, lat, lng, seconds = 0, more) => ({ type: 'location_update', booking_id: id, lat, lng, timestamp: at(seconds), ...more });
export const entry = (id, seq, status, where = null) => ({ booking_id: id, seq, status, location: where });
export const status = (id, seq, name, type = `booking_${name}`) => ({ type: 'booking_status', booking_id: id, seq, status: name, event_type: type });

/** What lies below the markers of a map: tiles, an invented city, or a grid. Drawn by Leaflet's global `L`. */

import { city } from './city.js';
import { t } from './languages.js';

const dark = matchMedia('(prefers-color-scheme: dark)');

/** The grid below the tiles, visible where none are loaded. */
const Grid = L.GridLayer.extend({ createTile: () => L.DomUtil.create('div', 'grid-tile') });

export class Ground {
  #city;
  /** Why there are no tiles, if so. */
  words;

  /** `site`: where the invented city is drawn if there are no tiles. `onChange`: `words` may have changed. */
  constructor(map, { tileUrl, attribution, site, onChange = () => {} }) {
    new Grid({ tileSize: 128 }).addTo(map);
    if (tileUrl) {
      const tell = (words) => onChange((this.words = words));
      const tiles = L.tileLayer(tileUrl, { attribution: escaped(attribution), maxZoom: 19 }).addTo(map);
      tiles.on('tileerror', () => tell(t('map.tilesFail')));
      tiles.on('tileload', () => tell(undefined));
    } else if (site) {
      this.words = t('map.city');
      this.#city = city(site).addTo(map);
      dark.addEventListener('change', this.#recolour);
    } else {
      this.words = t('map.noTiles');
    }
  }

  remove() {
    dark.removeEventListener('change', this.#recolour);
  }

  #recolour = () => this.#city.redraw();
}

/** Escape text for Leaflet, which takes attributions as HTML. */
function escaped(text) {
  const element = document.createElement('i');
  element.textContent = text;
  return element.innerHTML;
}

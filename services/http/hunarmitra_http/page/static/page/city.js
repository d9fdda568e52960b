/** An invented city for the demo: streets, squares, parks and a river from a seed, drawn by Leaflet's global `L`. */

const SEED = 20_260_103;
/** The equator in metres of the Mercator projection. */
const WORLD = 40_075_016.686;
const TILE = 256;
/** Metres between two streets, and how many streets there are from one main road to the next. */
const BLOCK = 130;
const MAIN_EVERY = 5;
/** Below these zooms the map has no small streets, and only water and parks. */
const STREETS_FROM = 13.5;
const ROADS_FROM = 11;
/** Radii of the round streets around the site, in metres. */
const RINGS = [170, 330];
const RIVER = { away: 950, swing: 210, length: 1900, width: 120 };
const PART_PARKS = 0.08;
const PART_MISSING = 0.22;
/** Metres between two points of a curve. */
const CURVE_STEP = 40;

/** Return a number from 0 to 1 that depends on the seed and two whole numbers only. */
function chance(x, y, salt) {
  let mixed = Math.imul(x, 374_761_393) ^ Math.imul(y, 668_265_263) ^ Math.imul(salt + SEED, 974_634_211);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 1_274_126_177);
  return ((mixed ^ (mixed >>> 16)) >>> 0) / 2 ** 32;
}

const isMain = (index) => index % MAIN_EVERY === 0;
/** The place of a street across its direction, in metres; it bends gently along it. */
const street = (index, along, salt) => (index + (chance(index, 0, salt) - 0.5) * 0.45) * BLOCK + 22 * Math.sin(along / 520 + 6 * chance(index, 1, salt));
const river = (y) => RIVER.away + RIVER.swing * Math.sin(y / RIVER.length * 2 * Math.PI) + 60 * Math.sin(y / 430);

/** Return a layer with the city around `site`, `[lat, lng]`. */
export function city(site) {
  const centre = L.CRS.EPSG3857.project(L.latLng(site));
  const City = L.GridLayer.extend({
    createTile(coords) {
      const { x: width, y: height } = this.getTileSize();
      const density = Math.min(2, devicePixelRatio || 1);
      const canvas = L.DomUtil.create('canvas', 'city-tile');
      canvas.width = width * density;
      canvas.height = height * density;
      const metres = WORLD / (TILE * 2 ** coords.z);
      const west = coords.x * width * metres - WORLD / 2 - centre.x;
      const north = WORLD / 2 - coords.y * height * metres - centre.y;
      const pen = canvas.getContext('2d');
      // From here on in metres from the site, north up.
      pen.setTransform(density / metres, 0, 0, -density / metres, (-west * density) / metres, (north * density) / metres);
      draw(pen, { west, north, east: west + width * metres, south: north - height * metres }, coords.z, metres);
      return canvas;
    },
  });
  return new City({ tileSize: TILE });
}

function draw(pen, box, zoom, metres) {
  const styles = getComputedStyle(document.documentElement);
  const colour = (name) => styles.getPropertyValue(`--city-${name}`);
  // Streets are drawn a little wider than they are, or they could not be seen.
  const wide = (least, real) => Math.max(least * metres, real);
  const margin = 4 * BLOCK;
  const around = { west: box.west - margin, east: box.east + margin, south: box.south - margin, north: box.north + margin };
  pen.fillStyle = colour('ground');
  pen.fillRect(box.west, box.south, box.east - box.west, box.north - box.south);
  pen.lineCap = pen.lineJoin = 'round';
  const cells = range(around.west, around.east).flatMap((x) => range(around.south, around.north).map((y) => [x, y]));
  if (zoom >= ROADS_FROM) blocks(pen, cells, colour);
  line(pen, colour('water'), RIVER.width, curve(around, (y) => [river(y), y]));
  if (zoom < ROADS_FROM) return;
  const small = zoom >= STREETS_FROM ? streets(cells) : [];
  const roads = mainRoads(around);
  const edge = colour('edge');
  for (const path of small) line(pen, edge, wide(3.4, 11), path);
  for (const path of roads) line(pen, edge, wide(5.6, 20), path);
  for (const path of small) line(pen, colour('street'), wide(2, 8.5), path);
  for (const path of roads) line(pen, colour('road'), wide(4, 16), path);
  rings(pen, colour, wide, zoom);
}

const range = (from, to) => Array.from({ length: Math.ceil(to / BLOCK) - Math.floor(from / BLOCK) + 1 }, (_, index) => Math.floor(from / BLOCK) + index);

function line(pen, colour, width, points) {
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  points.forEach(([x, y]) => pen.lineTo(x, y));
  pen.stroke();
}

function curve({ south, north }, at) {
  const from = Math.floor(south / CURVE_STEP);
  return Array.from({ length: Math.ceil((north - south) / CURVE_STEP) + 2 }, (_, index) => at((from + index) * CURVE_STEP));
}

/** The crossing of two streets, near enough for a block's corner. */
const corner = (x, y) => [street(x, y * BLOCK, 1), street(y, x * BLOCK, 2)];

function blocks(pen, cells, colour) {
  for (const [x, y] of cells) {
    const drawn = chance(x, y, 5);
    pen.fillStyle = drawn < PART_PARKS ? colour('park') : drawn < 0.55 ? colour('block') : colour('block-two');
    pen.beginPath();
    for (const [dx, dy] of [[0, 0], [1, 0], [1, 1], [0, 1]]) pen.lineTo(...corner(x + dx, y + dy));
    pen.fill();
  }
}

/** The pieces of small streets; some are missing, so that blocks differ in size. */
function streets(cells) {
  const paths = [];
  for (const [x, y] of cells) {
    const [east, north] = [corner(x + 1, y), corner(x, y + 1)];
    if (!isMain(x) && chance(x, y, 3) > PART_MISSING) paths.push([corner(x, y), north]);
    if (!isMain(y) && chance(x, y, 4) > PART_MISSING) paths.push([corner(x, y), east]);
  }
  return paths;
}

function mainRoads(around) {
  const along = curve(around, (y) => y);
  const across = curve({ south: around.west, north: around.east }, (x) => x);
  return [
    ...range(around.west, around.east).filter(isMain).map((index) => along.map((y) => [street(index, y, 1), y])),
    ...range(around.south, around.north).filter(isMain).map((index) => across.map((x) => [x, street(index, x, 2)])),
  ];
}

/** The round place at the site, with a park in the middle. */
function rings(pen, colour, wide, zoom) {
  const circle = (radius) => {
    pen.beginPath();
    pen.arc(0, 0, radius, 0, 2 * Math.PI);
  };
  circle(RINGS[0]);
  pen.fillStyle = colour('park');
  pen.fill();
  for (const [name, least, real] of [['edge', 5.6, 18], ['road', 4, 14]]) {
    pen.strokeStyle = colour(name);
    pen.lineWidth = wide(least, real);
    for (const radius of zoom >= STREETS_FROM ? RINGS : RINGS.slice(1)) {
      circle(radius);
      pen.stroke();
    }
  }
}

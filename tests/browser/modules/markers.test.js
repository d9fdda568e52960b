import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Glide, project } from '../page/dispatch/glide.js';
import { Markers } from '../page/dispatch/markers.js';
import { CountingPen, sprites, VIEW } from './support.js';

const LOOK = { status: 'on_the_way', stale: false, heading: undefined };
const METRE = 1 / 40_075_017;

test('a frame of 2,000 moving markers costs one call for each, and one more to clear', () => {
  const markers = new Markers();
  for (let id = 0; id < 2000; id++) markers.set(id, [0.2 + id / 4000, 0.5], LOOK, 0);
  for (let id = 0; id < 2000; id++) markers.set(id, [0.2 + id / 4000, 0.5 + 100 * METRE], LOOK, 2000);
  for (const now of [2016, 2033, 2050]) {
    const pen = new CountingPen();
    assert.equal(markers.draw(pen, sprites, VIEW, undefined, now), true);
    assert.deepEqual(pen.calls, { clearRect: 1, drawImage: 2000 });
  }
});

test('what lies outside the view is not drawn and cannot be pressed', () => {
  const markers = new Markers();
  markers.set('in', [0.5, 0.5], LOOK, 0);
  markers.set('out', [0.5, 0.9], LOOK, 0);
  const pen = new CountingPen();
  markers.draw(pen, sprites, { ...VIEW, height: 800 }, undefined, 0);
  assert.equal(pen.calls.drawImage, 1);
  assert.equal(markers.at(500, 505), 'in');
  assert.equal(markers.at(500, 900), undefined);
});

test('a marker glides by fractions of a pixel and rests at its place', () => {
  const markers = new Markers();
  markers.set('a', [0.5, 0.5], LOOK, 0);
  markers.set('a', [0.5 + 1000 * METRE, 0.5], LOOK, 2000);
  const places = [2500, 3000, 3500, 4000, 4500].map((now) => {
    const pen = new CountingPen();
    const moving = markers.draw(pen, sprites, { ...VIEW, scale: 40_000, left: -19_500, top: -19_500 }, undefined, now);
    return [Math.round((pen.drawn[0].x + 22 - 500) * 1000) / 1000, moving];
  });
  assert.deepEqual(places, [[0.25, true], [0.499, true], [0.749, true], [0.998, false], [0.998, false]]);
});

test('a glide begins where the one before was interrupted', () => {
  const glide = new Glide(0, 0, 0);
  glide.to(4 * METRE, 0, 1000);
  glide.step(1500);
  assert.equal(glide.x, 2 * METRE);
  glide.to(2 * METRE, 2 * METRE, 1500);
  glide.step(1750);
  assert.deepEqual([glide.x, glide.y], [2 * METRE, METRE]);
});

test('a glide takes the time between two locations, within limits; a far place is a jump', () => {
  const takes = (since, metres = 10) => {
    const glide = new Glide(0, 0, 0);
    glide.to(metres * METRE, 0, since);
    let now = since;
    while (glide.step(now)) now += 50;
    return now - since;
  };
  assert.deepEqual([takes(10), takes(1000), takes(60_000), takes(1000, 6000)], [250, 1000, 5000, 0]);
});

test('without motion a marker jumps', () => {
  const markers = new Markers();
  markers.set('a', [0.5, 0.5], LOOK, 0, true);
  markers.set('a', [0.5001, 0.5], LOOK, 1000, true);
  assert.equal(markers.draw(new CountingPen(), sprites, VIEW, undefined, 1001), false);
});

test('the selected marker is drawn last, with a ring', () => {
  const markers = new Markers();
  for (const id of ['a', 'b', 'c']) markers.set(id, [0.5, 0.5], { ...LOOK, status: id }, 0);
  const pen = new CountingPen();
  markers.draw(pen, sprites, VIEW, 'a', 0);
  assert.deepEqual(pen.drawn.map(({ picture }) => picture.name), ['b false ', 'c false ', 'a false ', 'ring']);
});

test('the arrow of a heading is drawn on the way, and not with an old location', () => {
  const markers = new Markers();
  const picture = (look) => {
    markers.set('a', [0.5, 0.5], look, 0);
    const pen = new CountingPen();
    markers.draw(pen, sprites, VIEW, undefined, 0);
    return pen.drawn[0].picture.name;
  };
  assert.equal(picture({ ...LOOK, heading: 90 }), 'on_the_way false 8');
  assert.equal(picture({ ...LOOK, heading: 359.9 }), 'on_the_way false 0');
  assert.equal(picture({ ...LOOK, heading: 90, stale: true }), 'on_the_way true ');
  assert.equal(picture({ ...LOOK, heading: 90, status: 'arrived' }), 'arrived false ');
});

test('the nearest marker is found, and the world repeats', () => {
  const markers = new Markers();
  markers.set('a', [0.5, 0.5], LOOK, 0);
  markers.set('b', [0.51, 0.5], LOOK, 0);
  markers.draw(new CountingPen(), sprites, VIEW, undefined, 0);
  assert.deepEqual([markers.at(503, 500), markers.at(508, 500), markers.at(600, 500)], ['a', 'b', undefined]);
  const pen = new CountingPen();
  markers.draw(pen, sprites, { ...VIEW, left: -1000 }, undefined, 0);
  assert.equal(pen.drawn[0].x + 22, 500);
});

test('a removed marker is not drawn', () => {
  const markers = new Markers();
  markers.set('a', [0.5, 0.5], LOOK, 0);
  markers.remove('a');
  const pen = new CountingPen();
  markers.draw(pen, sprites, VIEW, undefined, 0);
  assert.deepEqual([pen.calls.drawImage, markers.size], [undefined, 0]);
});

test('places of the plane', () => {
  assert.deepEqual(project([0, 0]), [0.5, 0.5]);
  assert.deepEqual(project([0, 180]), [1, 0.5]);
  assert.ok(Math.abs(project([85.0511287798, 0])[1]) < 1e-6);
});

/** The scenarios of sending locations that all clients share. */
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { accepted, overRest, response } from './support/senders.js';

const path = new URL('../../conformance/locations.json', import.meta.url);
const STEP_MS = 50;
const MOST_MS = 20_000;

// The folder is not part of the package.
for (const scenario of existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : []) {
  test(`locations: ${scenario.name}`, async () => {
    const { status, body, text, headers } = scenario.answer;
    const token = ({ refresh }) => (refresh ? 'new' : 'old');
    const { world, sender } = overRest({ geolocation: null, token });
    const first = response(status, text ?? body, headers);
    const times = [];
    world.answer = () => (times.push(world.elapsed / 1000) === 1 ? first : response(200, accepted(world)));
    sender.start();
    // Slowly: a worker who sets out may be ahead of the server's pace.
    for (let step = 0; world.requests.length < 2 && world.elapsed < MOST_MS; step++) {
      if (sender.state.name !== 'closed') sender.push({ lat: 28.6 + step / 1e7, lng: 77.2 });
      await world.advance(STEP_MS);
    }
    if (scenario.ended) {
      assert.equal(sender.state.name, 'closed');
      assert.equal(world.requests.length, 1);
      return;
    }
    const [, seconds] = times;
    const { next_after: after, next_within: within, tokens } = scenario;
    if (after !== undefined) assert.equal(seconds, after);
    else assert.ok(seconds <= within, `after ${seconds} s`);
    if (tokens) assert.deepEqual(world.requests.slice(0, 2).map(({ headers: sent }) => sent.Authorization), tokens.map((each) => `Bearer ${each}`));
  });
}

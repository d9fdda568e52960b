/** Repeated attempts to load what could not be loaded. */

const FIRST_MS = 2000;
const LONGEST_MS = 30_000;

/**
 * Run `attempt` until it returns true: after a growing delay, and at once when the network or the stream is back.
 * Returns `{now, end}`.
 */
export function retrying(attempt, stream) {
  let delay = FIRST_MS;
  let timer;
  let busy = false;
  let ended = false;
  let wasLive = stream?.state.name === 'live';

  async function now() {
    clearTimeout(timer);
    if (busy || ended) return;
    busy = true;
    const done = await attempt().catch(() => false);
    busy = false;
    if (done) return end();
    if (!ended) timer = setTimeout(now, delay);
    delay = Math.min(LONGEST_MS, delay * 2);
  }

  function end() {
    ended = true;
    clearTimeout(timer);
    removeEventListener('online', now);
    off?.();
  }

  addEventListener('online', now);
  const off = stream?.on('state', ({ name }) => {
    if (name === 'live' && !wasLive) void now();
    wasLive = name === 'live';
  });
  timer = setTimeout(now, delay);
  return { now, end };
}

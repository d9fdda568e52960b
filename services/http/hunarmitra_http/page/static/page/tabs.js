/** Messages and locks between the tabs of one browser, for the session that they share. */

const CHANNEL = 'hunarmitra.session';
/** Milliseconds to wait for the answers of other tabs. */
const ANSWER_MS = 150;

const channel = 'BroadcastChannel' in globalThis ? new BroadcastChannel(CHANNEL) : undefined;
const listeners = new Set();
let usedAt = Date.now();

addEventListener('focus', () => (usedAt = Date.now()));
channel?.addEventListener('message', ({ data }) => {
  for (const listener of [...listeners]) listener(data);
});

/** Call back for each message of another tab. Returns the function that ends it. */
export function onMessage(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export const tell = (message) => channel?.postMessage(message);

/** Answer a tab that asks for a session. */
export const answer = (tokens) => tell({ type: 'session', tokens, usedAt });

/**
 * Return the session of the tab used last, or the newest tokens of the session `id`; null when no tab answers. Tokens of
 * that session newer than `newerThan` end the wait, of `wait` milliseconds at most.
 */
export async function askForSession(id, { newerThan = Infinity, wait = ANSWER_MS } = {}) {
  if (!channel) return null;
  const answers = [];
  let off;
  await new Promise((resolve) => {
    setTimeout(resolve, wait);
    off = onMessage((message) => {
      if (message.type !== 'session' || (id && message.tokens.id !== id)) return;
      answers.push(message);
      if (message.tokens.renewedAt > newerThan) resolve();
    });
    tell({ type: 'ask' });
  });
  off();
  const order = id ? (each) => each.tokens.renewedAt : (each) => each.usedAt;
  return answers.sort((one, other) => order(other) - order(one))[0]?.tokens ?? null;
}

/** Run `work` while no other tab does anything under the same name. With `busy`, call that instead of waiting. */
export function alone(name, work, busy) {
  // Only pages from https or this machine have locks.
  if (!navigator.locks) return work();
  return navigator.locks.request(name, { ifAvailable: Boolean(busy) }, (lock) => (lock || !busy ? work() : busy()));
}

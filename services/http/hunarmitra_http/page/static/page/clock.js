/** One timer for everything that counts seconds. */

const listeners = new Set();
let timer;

/** Call back now and every second. Returns the function that ends it. */
export function everySecond(listener) {
  listeners.add(listener);
  timer ??= setInterval(() => {
    for (const each of [...listeners]) each();
  }, 1000);
  listener();
  return () => {
    listeners.delete(listener);
    if (listeners.size) return;
    clearInterval(timer);
    timer = undefined;
  };
}

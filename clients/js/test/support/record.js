/** Waits for what a running stream tells, without polling: `reached(n)` resolves once event n was handed over. */
export function recordStatuses(stream) {
  const events = [];
  const positions = [];
  const waiting = [];
  stream.on('status', (event) => {
    events.push(event);
    for (const { seq, resolve } of waiting) if (event.seq >= seq) resolve();
  });
  stream.on('location', (location) => positions.push(location));
  const reached = (seq, withinMs = 30_000) =>
    new Promise((resolve, reject) => {
      if (stream.seq >= seq) return resolve();
      const timer = setTimeout(
        () => reject(new Error(`event ${seq} did not come: at ${stream.seq}, ${JSON.stringify(stream.state)}`)),
        withinMs,
      );
      waiting.push({ seq, resolve: () => resolve(clearTimeout(timer)) });
    });
  return { events, positions, reached };
}

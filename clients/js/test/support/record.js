/** Record the events of a stream. `reached(seq)` resolves when the application has received that event. */
export function recordStatuses(stream) {
  const events = [];
  const locations = [];
  const waiting = [];
  stream.on('status', (event) => {
    events.push(event);
    for (const { seq, resolve } of waiting) if (event.seq >= seq) resolve();
  });
  stream.on('location', (location) => locations.push(location));
  const reached = (seq, withinMs = 300_000) =>
    new Promise((resolve, reject) => {
      if (stream.seq >= seq) return resolve();
      const timer = setTimeout(
        () => reject(new Error(`event ${seq} did not arrive; last seq ${stream.seq}, ${JSON.stringify(stream.state)}`)),
        withinMs,
      );
      waiting.push({ seq, resolve: () => resolve(clearTimeout(timer)) });
    });
  return { events, locations, reached };
}

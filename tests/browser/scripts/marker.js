// Records the customer's marker: `window.places` has each place of the worker with its time, `window.moves` the times of
// the frames in which the marker was elsewhere than in the frame before. `window.stalls` has how long this machine did not
// run this page, in milliseconds: the longest times between two ticks, and between two frames, beyond 20 ms.
(() => {
  window.places = [];
  window.moves = [];
  window.stalls = [0, 0];
  let shown;
  const last = [Date.now(), Date.now()];
  const tick = (index) => {
    const now = Date.now();
    window.stalls[index] = Math.max(window.stalls[index], now - last[index] - 20);
    last[index] = now;
    return now;
  };
  const look = () => {
    const now = tick(1);
    const marker = document.querySelector('.marker.worker:not(.hand)');
    const at = marker?.getBoundingClientRect();
    const next = at && `${at.x},${at.y}`;
    if (next !== shown) window.moves.push(now);
    shown = next;
    requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
  new MutationObserver(() => {
    const place = document.getElementById('map')?.dataset.worker;
    if (place && place !== window.places.at(-1)?.[1]) window.places.push([Date.now(), place]);
  }).observe(document, { attributes: true, attributeFilter: ['data-worker'], subtree: true });
  setInterval(() => tick(0), 20);
})();

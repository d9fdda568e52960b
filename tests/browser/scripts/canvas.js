// Records what is drawn on the canvas of the markers: `window.drawn` has the places of the last frame, in pixels of the
// canvas, and `window.frames` the number of calls of each frame by name.
(() => {
  window.drawn = [];
  window.frames = [];
  for (const name of ['clearRect', 'drawImage', 'stroke', 'fill', 'save', 'beginPath']) {
    const original = CanvasRenderingContext2D.prototype[name];
    CanvasRenderingContext2D.prototype[name] = function (...values) {
      if (this.canvas.classList.contains('markers')) {
        if (name === 'clearRect') window.frames.push({});
        const frame = window.frames.at(-1) ?? {};
        frame[name] = (frame[name] ?? 0) + 1;
        if (name === 'clearRect') window.drawn = [];
        if (name === 'drawImage') window.drawn.push([values[1] + values[0].width / 2, values[2] + values[0].width / 2]);
      }
      return original.apply(this, values);
    };
  }
})();

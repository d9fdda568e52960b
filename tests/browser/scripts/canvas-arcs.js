// Records the circles that are drawn on any canvas: `window.arcs` has `[x, y]` of each.
(() => {
  window.arcs = [];
  const original = CanvasRenderingContext2D.prototype.arc;
  CanvasRenderingContext2D.prototype.arc = function (x, y, ...more) {
    window.arcs.push([x, y]);
    return original.call(this, x, y, ...more);
  };
})();

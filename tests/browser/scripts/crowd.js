// Replaces the server of `/ws/` by one with `window.crowd` bookings, which all move each time that `window.step()` is called.
// `window.asked` has the subscriptions.
(() => {
  const Real = WebSocket;
  const id = (number) => `00000000-0000-4000-8000-${String(number).padStart(12, '0')}`;
  let turn = 0;
  let open;
  window.asked = [];

  const location = (number) => ({
    type: 'location_update',
    booking_id: id(number),
    lat: 28.58 + (number % 50) * 0.002 + 0.0006 * Math.sin(turn / 5 + number),
    lng: 77.16 + Math.floor(number / 50) * 0.003 + 0.0006 * Math.cos(turn / 5 + number),
    timestamp: new Date().toISOString(),
    heading: (number * 7 + turn * 11) % 360,
  });
  const give = (frame) => open.onmessage?.({ data: JSON.stringify(frame) });

  window.step = () => {
    turn++;
    for (let number = 0; number < window.crowd; number++) give(location(number));
  };

  window.WebSocket = class {
    readyState = 1;

    constructor(url, protocols) {
      if (new URL(url).pathname !== '/ws/') return new Real(url, protocols);
      open = this;
      const now = Date.now();
      setTimeout(() => give({ type: 'connected', message: 'Connected', heartbeat_seconds: 30, expires_at: new Date(now + 3.6e6).toISOString(), server_time: new Date(now).toISOString(), max_subscriptions: 100 }));
    }

    send(text) {
      const message = JSON.parse(text);
      if (message.type === 'ping') return give({ type: 'pong' });
      if (message.type !== 'subscribe') return;
      window.asked.push(message);
      for (let from = 0; from < window.crowd; from += 100) {
        const bookings = Array.from({ length: 100 }, (_, index) => ({ booking_id: id(from + index), seq: 4, status: 'on_the_way', location: location(from + index) }));
        give({ type: 'live_page', bookings, ...(from + 100 >= window.crowd && { last: true }) });
      }
    }

    close() {
      this.readyState = 3;
    }
  };
})();

/**
 * The page's shell without network: its document and files, never an answer of the API. The network comes first, so that
 * a new version is used at once.
 */

const CACHE = 'hunarmitra-shell-1';
/** With a cached copy, a network that has not answered by then counts as away. */
const SLOW_MS = 4000;
/** Everything that the document loads. */
const FILES = [
  'leaflet/leaflet.css',
  'leaflet/leaflet.js',
  'page/app.js',
  'page/arrival.js',
  'page/bell.svg',
  'page/city.js',
  'page/clock.js',
  'page/connection.js',
  'page/demo-geolocation.js',
  'page/demo.js',
  'page/details.js',
  'page/dispatch.css',
  'page/dispatch/bookings.js',
  'page/dispatch/box.js',
  'page/dispatch/filter.js',
  'page/dispatch/glide.js',
  'page/dispatch/legend.js',
  'page/dispatch/list.js',
  'page/dispatch/map.js',
  'page/dispatch/markers.js',
  'page/dispatch/reader.js',
  'page/dispatch/selection.js',
  'page/dispatch/shapes.js',
  'page/dispatch/steady.js',
  'page/dom.js',
  'page/formats.js',
  'page/geometry.js',
  'page/ground.js',
  'page/icon-maskable.svg',
  'page/icon.svg',
  'page/journey.js',
  'page/language-switch.js',
  'page/languages.js',
  'page/languages/en.json',
  'page/languages/hi.json',
  'page/manifest.webmanifest',
  'page/map.css',
  'page/map.js',
  'page/notifications.js',
  'page/page.css',
  'page/retry.js',
  'page/session.js',
  'page/sharing.js',
  'page/site.svg',
  'page/tabs.js',
  'page/timeline.js',
  'page/views/assign.js',
  'page/views/booking.js',
  'page/views/bookings.js',
  'page/views/dispatch.js',
  'page/views/drive.js',
  'page/views/sign-in.js',
  'page/views/waiting.js',
  'page/views/work.js',
  'page/words.js',
  'page/work.css',
  'page/worker.svg',
  'realtime/booking.js',
  'realtime/connection/channel.js',
  'realtime/connection/index.js',
  'realtime/connection/live.js',
  'realtime/credentials.js',
  'realtime/emitter.js',
  'realtime/index.js',
  'realtime/notifications.js',
  'realtime/platform.js',
  'realtime/sender/device.js',
  'realtime/sender/index.js',
  'realtime/sender/screen.js',
  'realtime/stream.js',
];

addEventListener('install', (event) => event.waitUntil(install()));
addEventListener('activate', (event) => event.waitUntil(activate()));
addEventListener('fetch', (event) => {
  const { origin, pathname, search } = new URL(event.request.url);
  const shell = pathname === '/' || (pathname.startsWith('/static/') && !search);
  if (event.request.method === 'GET' && origin === location.origin && shell) event.respondWith(networkFirst(event.request, event));
});
addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(focus());
});

async function install() {
  const cache = await caches.open(CACHE);
  const fresh = (path) => new Request(path, { cache: 'no-cache' });
  await cache.addAll([fresh('/'), ...FILES.map((name) => fresh(`/static/${name}`))]);
  await skipWaiting();
}

async function activate() {
  for (const name of await caches.keys()) if (name !== CACHE) await caches.delete(name);
  await clients.claim();
}

async function networkFirst(request, event) {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request, { ignoreSearch: true, ignoreVary: true });
  const answer = fetch(request).then((response) => {
    if (response.ok && response.type === 'basic' && !response.redirected) event.waitUntil(cache.put(request, response.clone()));
    return response;
  });
  if (!kept) return answer;
  const late = new Promise((resolve) => setTimeout(resolve, SLOW_MS, kept));
  return Promise.race([answer.catch(() => kept), late]);
}

async function focus() {
  const [open] = await clients.matchAll({ type: 'window' });
  await (open ? open.focus() : clients.openWindow('/'));
}

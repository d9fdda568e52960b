// Runs a JavaScript example of the API document as it stands. What the example leaves to the page (the map, the
// functions it calls) records its calls, one JSON line each. Timers run a hundred times as fast, but a handshake does
// not: a keep-alive, which comes after 30 s on a page and 0.3 s here, waits until the handshake is over.
'use strict'
const [modulePath, names, snippet] = process.argv.slice(2)
const Client = require(modulePath)
const write = (call, ...args) => process.stdout.write(`${JSON.stringify({ call, args })}\n`)
const plain = (value) => JSON.parse(JSON.stringify(value ?? null))

const recorder = (path) => new Proxy(function () {}, {
  apply: (_target, _self, args) => {
    write(path, ...args.map((arg) => (typeof arg === 'function' ? 'function' : plain(arg))))
    return recorder(path)
  },
  get: (_target, name) => (typeof name === 'symbol' ? undefined : recorder(`${path}.${name}`)),
  set: (_target, name, value) => { write(`${path}.${String(name)} =`, plain(value)); return true }
})

let newest

class WebSocket extends Client {
  constructor (url) {
    super(url)
    newest = this
    write('new WebSocket', url)
    this.addEventListener('close', ({ code }) => write('closed', code))
    this.addEventListener('message', ({ data }) => write('received', JSON.parse(data)))
  }
}

const scope = {
  WebSocket,
  console: { log: (...args) => write('console.log', ...args.map(plain)) },
  setInterval: (run, delay) => {
    write('setInterval', delay)
    return setInterval(() => { if (newest.readyState !== WebSocket.CONNECTING) run() }, delay / 100)
  },
  setTimeout: (run, delay) => { write('setTimeout', delay); return setTimeout(run, delay / 100) },
  L: recorder('L'),
  document: recorder('document')
}
for (const name of ['updateBookingStatus', 'updateMarker', 'showNotification']) scope[name] = recorder(name)
Object.assign(scope, JSON.parse(names))
new Function(...Object.keys(scope), snippet)(...Object.values(scope)) // eslint-disable-line no-new-func

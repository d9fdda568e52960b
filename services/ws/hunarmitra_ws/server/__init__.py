"""WebSocket server: an extension of daphne, started as ``python -m hunarmitra_ws``.

It adds to stock daphne: a drain instead of close code 1006 for every client, close codes and reasons that reach the
client, a bounded send buffer, frames written to the transport as they are, connection limits, and an admin port.
"""

# daphne installs Twisted's reactor on asyncio, which must happen before anything else imports a reactor.
import daphne.server  # noqa: F401

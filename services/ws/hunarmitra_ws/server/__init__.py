"""Our WebSocket server: daphne, through its own extension points, with what stock daphne lacks.

Drain instead of 1006 for everybody, close codes and reasons that reach the client, a bounded send buffer, frames
written to the transport as they are, limits on who may come in, and an admin port. Started as
``python -m hunarmitra_ws``.
"""

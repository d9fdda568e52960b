"""What one client may make a connection hold or do, whatever the settings say."""

from __future__ import annotations

from typing import Final

KERNEL_BUFFER: Final = 65536
"""Bytes that the kernel may buffer for a client that does not read; by default megabytes. The lanes cannot count them,
locations in the buffer become stale, and the memory is the node's."""

MOST_UNREAD_MESSAGES: Final = 64
"""Client messages that may wait for the application."""

MOST_FRAGMENTS: Final = 64
"""Frames of one message. An empty frame also keeps some bytes until the message is complete."""

MOST_FRAMES_AFTER_CLOSE: Final = 32
"""Frames that the server still reads after it has sent a close frame. It answers only a close frame among them."""

MOST_EARLY_BYTES: Final = 65536
"""Bytes that a client may send before its handshake is answered; reading stops meanwhile."""

FRAMES_PER_MESSAGE: Final = 4
"""Frames that a client may send for each allowed message. Fragments, pings and pongs count too."""

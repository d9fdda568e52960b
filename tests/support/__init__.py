"""Support for the tests: real servers as child processes, a REST client, a WebSocket client, polling."""

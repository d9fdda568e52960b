"""What the tests run against: real servers as child processes, a REST client, a WebSocket client, polling."""

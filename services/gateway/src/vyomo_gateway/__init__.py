"""REST and WebSocket edge of Vyomo."""

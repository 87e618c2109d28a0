"""Angel One SmartAPI: its errors, its session and its tick decoder."""

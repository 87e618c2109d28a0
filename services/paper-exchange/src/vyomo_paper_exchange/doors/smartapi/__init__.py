"""The front door that speaks Angel One's SmartAPI."""

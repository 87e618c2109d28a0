"""The built-in market: underlyings and their contracts, with dated tick, lot, freeze and expiry rules."""

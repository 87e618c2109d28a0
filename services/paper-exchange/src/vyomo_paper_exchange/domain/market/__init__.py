"""The seeded market: prices, volume and depth as a pure function of seed, instrument and time."""

"""Front doors of the exchange: what servers that speak a broker's protocol need of it, in no protocol's words."""

"""How a position becomes trades. Pure: contracts and the standard library only."""

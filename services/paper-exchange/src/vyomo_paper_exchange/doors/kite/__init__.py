"""Kite Connect v3 on the wire, over the exchange's own accounts and orders."""

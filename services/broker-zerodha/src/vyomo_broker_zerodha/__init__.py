"""Zerodha Kite Connect v3: client, mapping, errors, session and tick decoder behind the broker port."""

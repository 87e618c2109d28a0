"""Mirrors positions into auto_trades."""

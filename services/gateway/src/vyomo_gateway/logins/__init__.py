"""Signing in at brokers: where to, with what, and what came of it."""

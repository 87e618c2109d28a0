"""Edges of the paper exchange: PostgreSQL and NATS."""

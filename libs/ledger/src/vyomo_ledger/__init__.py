"""The order record in PostgreSQL: accept, claim, step, outbox, relay and sweeper."""

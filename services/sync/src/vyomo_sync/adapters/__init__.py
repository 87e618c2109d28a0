"""The edges to PostgreSQL and to the bus."""

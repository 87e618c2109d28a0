"""Settings, logging, lifespan, clock, ids and the NATS and PostgreSQL edges."""

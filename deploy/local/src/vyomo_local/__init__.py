"""The vyomo command: supervisor, embedded NATS and PostgreSQL."""

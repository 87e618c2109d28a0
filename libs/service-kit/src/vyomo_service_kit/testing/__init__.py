"""Helpers for tests: real NATS and PostgreSQL as pytest fixtures, and `eventually`."""

from vyomo_service_kit.testing.waiting import eventually

__all__ = ["eventually"]

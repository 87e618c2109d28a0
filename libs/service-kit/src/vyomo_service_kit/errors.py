"""Errors that every service meets.

UnavailableError            a part we depend on cannot be reached right now; it may be back any moment
├── RecordUnavailableError  PostgreSQL (`database`)
└── BusUnavailableError     NATS, or whoever should answer on it (`bus`)
"""


class UnavailableError(Exception):
    """Nothing was half-done; the caller may repeat."""

"""What an order must satisfy before it is recorded as accepted."""

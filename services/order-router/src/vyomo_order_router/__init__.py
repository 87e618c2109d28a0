"""Validates, checks, accepts and routes orders."""

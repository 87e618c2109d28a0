"""Brokers' instrument masters: downloaded each trading morning, read row by row, and merged into `market.listings` at once or not at all."""

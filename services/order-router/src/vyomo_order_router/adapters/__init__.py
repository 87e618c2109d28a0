"""The router's own tables: accounts and the lanes that belong to them."""

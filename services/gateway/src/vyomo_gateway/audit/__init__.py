"""Everything that was recorded of a user's orders, limits and accounts: to look through, and to take along as CSV."""

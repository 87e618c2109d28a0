"""Market simulator, matching and the paper broker worker."""

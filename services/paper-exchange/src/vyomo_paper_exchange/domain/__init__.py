"""The paper exchange's rules: catalogue, market, matching, positions, margins and sessions. Pure: stdlib and contracts only."""

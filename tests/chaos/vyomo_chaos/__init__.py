"""Kills, pauses, wipes and partitions against the real system, and the count of what they cost."""

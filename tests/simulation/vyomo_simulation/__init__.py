"""The order protocol's real code on virtual time, among faults drawn from a seed."""

"""What is the same for every broker: port, outcomes, worker and instruments."""

"""What the whole system does per second and how long it takes, beside what the machine itself can do in the same run."""

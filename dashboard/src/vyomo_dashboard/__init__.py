"""The dashboard: how it is built and how it is served."""

"""Bounds on what callers may ask of a service: rates and concurrency. No HTTP in here."""

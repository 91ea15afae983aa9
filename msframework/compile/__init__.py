"""Endpoints become Operations, and Operations straight-line handlers. Runs at start-up."""

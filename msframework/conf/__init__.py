"""Settings: read once at start-up into frozen values."""

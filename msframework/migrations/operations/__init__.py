"""The operations that migrations are made of."""

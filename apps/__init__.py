"""The example services: accounts, users, regions, roles; each alone, or all in one process."""

"""The example services: users, regions and roles. Each runs alone, or all in one process."""

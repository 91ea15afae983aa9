"""Users, with the city they live in and their role read from two other services."""

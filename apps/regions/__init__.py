"""Provinces, and the cities in them."""

"""Strict readers of a request: escapes, forms, cookies, and encoded bodies."""

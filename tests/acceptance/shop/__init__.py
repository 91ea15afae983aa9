"""The collections of `tests/collection/shop.py` as a service that a process can run."""

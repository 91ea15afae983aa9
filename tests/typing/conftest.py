"""The service that is type-checked has tests of its own, which `test_service.py` runs."""

collect_ignore = ["service"]

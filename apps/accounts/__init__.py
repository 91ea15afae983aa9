"""Accounts: who may log in, and the tokens that authenticate callers to all services."""

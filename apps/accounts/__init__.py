"""Accounts: who may log in, and the tokens by which all services know the caller."""

"""Access: authenticators tell who calls, guards tell who may.

Libraries of cryptography are imported where an authenticator is made, so that a service without
one does not wait for them at its start.
"""

from __future__ import annotations

from msframework.access.api_key import APIKey, KeyEntry, hash_key
from msframework.access.authenticator import Authenticator
from msframework.access.guard import AnyScope, Authenticated, AuthenticatedBy, Guard, Scopes
from msframework.access.principal import Principal

__all__ = [
    "APIKey",
    "AnyScope",
    "Authenticated",
    "AuthenticatedBy",
    "Authenticator",
    "Guard",
    "KeyEntry",
    "Principal",
    "Scopes",
    "hash_key",
]

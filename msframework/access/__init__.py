"""Access: authenticators tell who calls, guards tell who may.

Libraries of cryptography are imported where an authenticator is made, so that a service without
one does not wait for them at its start.
"""

from __future__ import annotations

from msframework.access.api_key import APIKey, KeyEntry, hash_key
from msframework.access.authenticator import Authenticator
from msframework.access.basic import HTTPBasic
from msframework.access.guard import AnyScope, Authenticated, AuthenticatedBy, Guard, Scopes
from msframework.access.password import (
    PasswordCheck,
    PasswordHasher,
    hash_password,
    verify_password,
)
from msframework.principal import Principal

__all__ = [
    "APIKey",
    "AnyScope",
    "Authenticated",
    "AuthenticatedBy",
    "Authenticator",
    "Guard",
    "HTTPBasic",
    "KeyEntry",
    "PasswordCheck",
    "PasswordHasher",
    "Principal",
    "Scopes",
    "hash_key",
    "hash_password",
    "verify_password",
]

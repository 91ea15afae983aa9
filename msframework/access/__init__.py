"""Access: authenticators identify the caller, guards decide whether the caller may proceed.

PyJWT, cryptography and argon2-cffi are imported where they are first needed, so that a service
without them does not pay for the import.
"""

from __future__ import annotations

from msframework.access.api_key import APIKey, KeyEntry, hash_key
from msframework.access.authenticator import Authenticator
from msframework.access.basic import HTTPBasic
from msframework.access.bearer import JWTBearer
from msframework.access.guard import AnyScope, Authenticated, AuthenticatedBy, Guard, Scopes
from msframework.access.issuer import JWTIssuer
from msframework.access.jwks import JWKS
from msframework.access.keys import JWTKey
from msframework.access.mutual_tls import MutualTLS
from msframework.access.password import (
    PasswordCheck,
    PasswordHasher,
    hash_password,
    verify_password,
)
from msframework.principal import Principal

__all__ = [
    "JWKS",
    "APIKey",
    "AnyScope",
    "Authenticated",
    "AuthenticatedBy",
    "Authenticator",
    "Guard",
    "HTTPBasic",
    "JWTBearer",
    "JWTIssuer",
    "JWTKey",
    "KeyEntry",
    "MutualTLS",
    "PasswordCheck",
    "PasswordHasher",
    "Principal",
    "Scopes",
    "hash_key",
    "hash_password",
    "verify_password",
]

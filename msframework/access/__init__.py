"""Access: authenticators tell who calls, guards tell who may.

Libraries of cryptography are imported where an authenticator is made, so that a service without
one does not wait for them at its start.
"""

from __future__ import annotations

from msframework.access.authenticator import Authenticator
from msframework.access.guard import AnyScope, Authenticated, AuthenticatedBy, Guard, Scopes
from msframework.principal import Principal

__all__ = [
    "AnyScope",
    "Authenticated",
    "AuthenticatedBy",
    "Authenticator",
    "Guard",
    "Principal",
    "Scopes",
]

"""A microservice framework for Python teams who keep their data in PostgreSQL.

A name is imported from its module when it is first used: `manage.py health`, which runs every few
seconds, is not to wait for what only a server needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msframework import doc
    from msframework.access import (
        AnyScope,
        Authenticated,
        AuthenticatedBy,
        Authenticator,
        Guard,
        Principal,
        Scopes,
    )
    from msframework.aio import async_request
    from msframework.app import Service, create_app
    from msframework.client import Client
    from msframework.codec import compile_schema
    from msframework.collection import Expansion, ModelResource, Remote
    from msframework.conf.settings import Settings
    from msframework.cors import CORS
    from msframework.envelope import Bare, DefaultEnvelope, Envelope, ErrorFacts, ProblemDetails
    from msframework.exceptions import (
        BadGateway,
        BadRequest,
        Conflict,
        ConstraintConflict,
        ConstraintViolation,
        DatabaseUnavailable,
        Forbidden,
        GatewayTimeout,
        Gone,
        ImproperlyConfigured,
        InvalidInput,
        MalformedJSON,
        MethodNotAllowed,
        MsframeworkError,
        NotAcceptable,
        NotFound,
        Overloaded,
        PayloadTooLarge,
        PoolExhausted,
        PreconditionFailed,
        PreconditionRequired,
        RequestTimeout,
        ServerError,
        ServiceException,
        ServiceUnavailable,
        SetupClosed,
        TooManyRequests,
        TransactionAborted,
        Unauthorized,
        UnprocessableEntity,
        UnsupportedMediaType,
        UpstreamError,
    )
    from msframework.filters import Filters, FilterSet
    from msframework.limits.rate import RateLimit
    from msframework.log import logger
    from msframework.operation import Operation
    from msframework.pagination import Cursors, Offsets, Page, PageResult, Pages
    from msframework.resource import Resource
    from msframework.response import Reply
    from msframework.routing import Blueprint
    from msframework.schemas import ALL, ModelSchema, Reference, Schema
    from msframework.serving.request import Request

__version__ = "0.1.0"

__all__ = [  # noqa: RUF022 - sorted by casefold, as a reader looks names up
    "ALL",
    "AnyScope",
    "async_request",
    "Authenticated",
    "AuthenticatedBy",
    "Authenticator",
    "BadGateway",
    "BadRequest",
    "Bare",
    "Blueprint",
    "Client",
    "compile_schema",
    "Conflict",
    "ConstraintConflict",
    "ConstraintViolation",
    "CORS",
    "create_app",
    "Cursors",
    "DatabaseUnavailable",
    "DefaultEnvelope",
    "doc",
    "Envelope",
    "ErrorFacts",
    "Expansion",
    "Filters",
    "FilterSet",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "Guard",
    "ImproperlyConfigured",
    "InvalidInput",
    "logger",
    "MalformedJSON",
    "MethodNotAllowed",
    "ModelResource",
    "ModelSchema",
    "MsframeworkError",
    "NotAcceptable",
    "NotFound",
    "Offsets",
    "Operation",
    "Overloaded",
    "Page",
    "PageResult",
    "Pages",
    "PayloadTooLarge",
    "PoolExhausted",
    "PreconditionFailed",
    "PreconditionRequired",
    "Principal",
    "ProblemDetails",
    "RateLimit",
    "Reference",
    "Remote",
    "Reply",
    "Request",
    "RequestTimeout",
    "Resource",
    "Schema",
    "Scopes",
    "ServerError",
    "Service",
    "ServiceException",
    "ServiceUnavailable",
    "Settings",
    "SetupClosed",
    "TooManyRequests",
    "TransactionAborted",
    "Unauthorized",
    "UnprocessableEntity",
    "UnsupportedMediaType",
    "UpstreamError",
]

# The names of each module.
_HOMES = {
    "": ("doc",),
    "access": (
        "AnyScope",
        "Authenticated",
        "AuthenticatedBy",
        "Authenticator",
        "Guard",
        "Principal",
        "Scopes",
    ),
    "aio": ("async_request",),
    "app": (
        "Service",
        "create_app",
    ),
    "client": ("Client",),
    "codec": ("compile_schema",),
    "collection": ("Expansion", "ModelResource", "Remote"),
    "conf.settings": ("Settings",),
    "cors": ("CORS",),
    "envelope": (
        "Bare",
        "DefaultEnvelope",
        "Envelope",
        "ErrorFacts",
        "ProblemDetails",
    ),
    "exceptions": (
        "BadGateway",
        "BadRequest",
        "Conflict",
        "ConstraintConflict",
        "ConstraintViolation",
        "DatabaseUnavailable",
        "Forbidden",
        "GatewayTimeout",
        "Gone",
        "ImproperlyConfigured",
        "InvalidInput",
        "MalformedJSON",
        "MethodNotAllowed",
        "MsframeworkError",
        "NotAcceptable",
        "NotFound",
        "Overloaded",
        "PayloadTooLarge",
        "PoolExhausted",
        "PreconditionFailed",
        "PreconditionRequired",
        "RequestTimeout",
        "ServerError",
        "ServiceException",
        "ServiceUnavailable",
        "SetupClosed",
        "TooManyRequests",
        "TransactionAborted",
        "Unauthorized",
        "UnprocessableEntity",
        "UnsupportedMediaType",
        "UpstreamError",
    ),
    "filters": (
        "Filters",
        "FilterSet",
    ),
    "limits.rate": ("RateLimit",),
    "log": ("logger",),
    "operation": ("Operation",),
    "pagination": (
        "Cursors",
        "Offsets",
        "Page",
        "PageResult",
        "Pages",
    ),
    "resource": ("Resource",),
    "response": ("Reply",),
    "routing": ("Blueprint",),
    "schemas": (
        "ALL",
        "ModelSchema",
        "Reference",
        "Schema",
    ),
    "serving.request": ("Request",),
}

if not TYPE_CHECKING:  # which would take any name for one of ours

    def __getattr__(name: str) -> object:
        """Return the public name *name*, imported now."""
        for home, names in _HOMES.items():
            if name in names:
                module = import_module(f"msframework.{home or name}")
                found = getattr(module, name) if home else module
                globals()[name] = found
                return found
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        """Return the names of the package, used or not."""
        return sorted({*globals(), *__all__})

"""A microservice framework for Python teams who keep their data in PostgreSQL."""

from __future__ import annotations

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
from msframework.limits.rate import RateLimit
from msframework.log import logger
from msframework.operation import Operation
from msframework.pagination import Page, PageResult
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
    "DatabaseUnavailable",
    "DefaultEnvelope",
    "doc",
    "Envelope",
    "ErrorFacts",
    "Forbidden",
    "GatewayTimeout",
    "Gone",
    "Guard",
    "ImproperlyConfigured",
    "InvalidInput",
    "logger",
    "MalformedJSON",
    "MethodNotAllowed",
    "ModelSchema",
    "MsframeworkError",
    "NotAcceptable",
    "NotFound",
    "Operation",
    "Page",
    "PageResult",
    "PayloadTooLarge",
    "PoolExhausted",
    "PreconditionFailed",
    "PreconditionRequired",
    "Principal",
    "ProblemDetails",
    "RateLimit",
    "Reference",
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

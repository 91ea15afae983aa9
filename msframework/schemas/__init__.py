"""The schemas that a service declares: marshmallow's, and those that are derived from models."""

from __future__ import annotations

from marshmallow import fields

from msframework.schemas.lists import CommaList, JSONText
from msframework.schemas.model import ALL, SENSITIVE_FIELDS, ModelSchema
from msframework.schemas.naming import Schema
from msframework.schemas.reference import Reference
from msframework.schemas.source import as_schema

__all__ = [
    "ALL",
    "SENSITIVE_FIELDS",
    "CommaList",
    "JSONText",
    "ModelSchema",
    "Reference",
    "Schema",
    "as_schema",
    "fields",
]

"""Schemas: marshmallow's, derived from models, and compiled for requests."""

from __future__ import annotations

from marshmallow import Schema, fields

from msframework.schemas.compiled import CompiledSchema, compile_schema
from msframework.schemas.model import ALL, SENSITIVE_FIELDS, ModelSchema
from msframework.schemas.reference import Reference
from msframework.schemas.source import as_schema

__all__ = [
    "ALL",
    "SENSITIVE_FIELDS",
    "CompiledSchema",
    "ModelSchema",
    "Reference",
    "Schema",
    "as_schema",
    "compile_schema",
    "fields",
]

"""The engine of schemas: a Schema is compiled into loaders and dumpers, which requests run."""

from __future__ import annotations

from msframework.codec.compiled import CompiledSchema, compile_schema

__all__ = ["CompiledSchema", "compile_schema"]

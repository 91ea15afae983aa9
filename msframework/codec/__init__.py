"""The codec of schemas: each is compiled into loaders and dumpers, which requests run.

`compiled` is its face, `compiler` fills a `plan` for each schema, and `facts` are read once from
each field. `loads` and `dumps` make a function for each field, `load_terms` and `dump_terms` its
usual case, and `emit` writes these into one function for a whole schema. `rows` writes lists of
plain columns. `engine` names the ways to dump, `errors` the ways to say no.
"""

from __future__ import annotations

from msframework.codec.compiled import CompiledSchema, compile_schema
from msframework.codec.engine import Engine

__all__ = ["CompiledSchema", "Engine", "compile_schema"]

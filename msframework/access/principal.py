"""`Principal`, where the other parts of access look for it; requests, which have one, lie lower."""

from __future__ import annotations

from msframework.principal import Principal

__all__ = ["Principal"]

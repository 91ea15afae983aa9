"""The command line of a project: `manage.py`, `msframework` and `python -m msframework`."""

from __future__ import annotations

from msframework.management.cli import execute

__all__ = ["execute"]

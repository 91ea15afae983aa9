"""`read_signature`: the signature of a function, whatever its annotations name; at start-up."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

if sys.version_info >= (3, 14):
    from annotationlib import Format

    def read_signature(function: Callable[..., Any]) -> inspect.Signature:
        """Return the signature of *function*; a name that only checkers import is a ForwardRef.

        Annotations are evaluated where they are asked for (PEP 649), so that `inspect.signature`
        raises NameError for such a name.
        """
        return inspect.signature(function, annotation_format=Format.FORWARDREF)
else:
    read_signature = inspect.signature


def fix_signature(function: Any) -> None:
    """Let Sanic, which calls `inspect.signature`, find what `read_signature` finds."""
    try:
        inspect.signature(function)
    except NameError:
        plain = getattr(function, "__func__", function)
        plain.__signature__ = read_signature(plain)
    except (TypeError, ValueError):  # it has none
        return

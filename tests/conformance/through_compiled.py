"""A pytest plugin: every `Schema.dump` and `Schema.load` of the process runs compiled.

Used by `run.py`; it writes what it counted to the file that `CONFORMANCE_COUNTS` names.
"""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from marshmallow import Schema

from msframework.codec import CompiledSchema, compile_schema

counts: Counter[str] = Counter()
reasons: Counter[str] = Counter()
_busy: set[tuple[str, int]] = set()
_marshmallow: dict[str, Callable[..., Any]] = {"dump": Schema.dump, "load": Schema.load}


def _through(kind: str) -> Callable[..., Any]:
    """Return the method that stands for marshmallow's own."""

    def run(self: Schema, *args: Any, **kwargs: Any) -> Any:
        here = (kind, id(self))
        if here in _busy:  # the compiled schema handed the whole call to marshmallow
            return _marshmallow[kind](self, *args, **kwargs)
        compiled = compile_schema(self)
        _count(kind, compiled)
        _busy.add(here)
        try:
            return getattr(compiled, kind)(*args, **kwargs)
        finally:
            _busy.discard(here)

    return run


def _count(kind: str, compiled: CompiledSchema) -> None:
    """Tell calls of schemas that hold code of the user's from those that could run compiled."""
    found = compiled.dump_fallbacks if kind == "dump" else compiled.load_fallbacks
    why = [fallback.partition(": ")[2] for fallback in found]
    reasons.update(why)
    if any("overrides marshmallow" in reason for reason in why):
        counts["whole"] += 1
    elif not why:
        counts["compiled"] += 1
    elif all(reason.endswith(("the user's code", "is a custom field")) for reason in why):
        counts["with_user_code"] += 1
    else:
        counts["eligible_but_not_compiled"] += 1


def pytest_configure() -> None:
    """Put the compiled methods in the place of marshmallow's."""
    Schema.dump = _through("dump")  # type: ignore[method-assign]
    Schema.load = _through("load")  # type: ignore[method-assign]


def pytest_unconfigure() -> None:
    """Write down what was counted."""
    found = {"calls": counts, "reasons": dict(reasons.most_common())}
    Path(os.environ["CONFORMANCE_COUNTS"]).write_text(json.dumps(found))

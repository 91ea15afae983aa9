"""The advice for somebody with the habits of another framework, found by the exception they met.

`find_meant` runs at start-up, once an import has failed, `find_habit` where a request has.
"""

from __future__ import annotations

import importlib
import inspect
import re
import traceback
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from types import ModuleType
from typing import Any, Final

from msframework._signature import read_signature

# The first of these that has the name is its home.
HOMES: Final = (
    "msframework",
    "msframework.access",
    "msframework.models",
    "msframework.schemas",
    "msframework.migrations",
    "msframework.testing",
    "marshmallow",
    "marshmallow.validate",
    "peewee",
    "playhouse.postgres_ext",
)
# Names of other frameworks for the notes of `doc`, and for arguments.
ELSEWHERE: Final[Mapping[str, str]] = {
    "body": "@doc.consumes",
    "parameter": "@doc.query",
    "permission_classes": "@doc.guards",
    "request_body": "@doc.consumes",
    "response": "@doc.produces",
    "responses": "@doc.produces",
    "scopes": "@doc.guards(Scopes(…))",
    "throttle": "@doc.rate_limit",
}
ARGUMENTS: Final[Mapping[str, str]] = {
    "alias": "data_key",
    "default": "load_default",
    "max_length": "validate",
    "blank": "null",
    "max_page_size": "max_per_page",
    "min_length": "validate",
    "page_size": "per_page",
    "prefix": "url_prefix",
    "read_only": "dump_only",
    "related_name": "backref",
    "server_default": "constraints",
    "source": "attribute",
    "status_code": "status",
    "validators": "validate",
    "write_only": "load_only",
}
# Names of other frameworks for what a request has.
REQUEST: Final[Mapping[str, str]] = {
    "query_params": "Take `query`, which @doc.query declares; request.args has all.",
    "user": "Take the argument `principal`; request.principal is the same.",
}
_NAMED: Final = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
_CALLED: Final = re.compile(r"([A-Za-z_][\w.]*)\(")
_UNEXPECTED: Final = re.compile(r"([\w.]+)\(\) got an unexpected keyword argument '(\w+)'")
_MISSING: Final = re.compile(r"cannot import name '(\w+)' from '(msframework[\w.]*)'")
_STATEMENT: Final = re.compile(r"from msframework[\w.]* import ([\w, ]+)")


def find_meant(exc: BaseException) -> str:
    """Return the advice what to write where a module failed by *exc*; nothing if none is known."""
    if isinstance(exc, ImportError):
        return _find_home(exc)
    if isinstance(exc, AttributeError) and isinstance(exc.obj, str) and exc.name == "_meta":
        return f"Pass the class of the model, or write peewee's DeferredForeignKey({exc.obj!r})."
    if isinstance(exc, AttributeError) and isinstance(exc.obj, ModuleType):
        return (
            _find_member(exc.obj, exc.name or "") if exc.obj.__name__ == "msframework.doc" else ""
        )
    unexpected = _UNEXPECTED.search(str(exc)) if isinstance(exc, TypeError) else None
    return "" if unexpected is None else _find_arguments(exc, *unexpected.groups())


def find_habit(exc: BaseException) -> str:
    """Return the advice for the code that raised *exc*; an empty text if none is known."""
    if type(exc).__module__ == "peewee" and "must be bound to a database" in str(exc):
        return "Models only build queries, which a cursor runs: await cur.fetch(query)."
    if not isinstance(exc, AttributeError):
        return ""
    if isinstance(exc.obj, dict) and exc.name in exc.obj:
        return f"Rows are dicts: row[{exc.name!r}]."
    kind = type(exc.obj)
    if kind.__module__.startswith("msframework.db.") and kind.__name__.endswith("Database"):
        return "A cursor runs statements: take `cur`, `tx`, or one of db.acquire()."
    if kind.__module__ == "msframework.serving.request":
        return REQUEST.get(exc.name or "", "")
    return ""


def _find_home(exc: ImportError) -> str:
    missing = _MISSING.match(str(exc))
    if missing is not None:
        return _advice(missing[1]) or _resembling(*missing.groups())
    if not str(exc.name).startswith("msframework."):
        return ""
    lines = [step.line or "" for step in traceback.extract_tb(exc.__traceback__)]
    imported = _STATEMENT.match(lines[-1]) if lines else None
    names = imported[1].replace(",", " ").split() if imported else []
    return " ".join(filter(None, map(_advice, names)))


def _find_member(module: ModuleType, name: str) -> str:
    """Return the notes that *module* has, and which of them *name* may be."""
    known = [each for each in _names(module) if inspect.isfunction(getattr(module, each))]
    own = [each for each in known if getattr(module, each).__module__ == module.__name__]
    close = get_close_matches(name, own, 1)
    meant = ELSEWHERE.get(name) or (f"@doc.{close[0]}" if close else "")
    return f"Was {meant} meant?" if meant else ""


def _find_arguments(exc: BaseException, call: str, name: str) -> str:
    """Return the arguments of *call*, which was given *name*, as it is found where *exc* rose."""
    (*_, (frame, _)) = traceback.walk_tb(exc.__traceback__)
    (*_, last) = traceback.extract_tb(exc.__traceback__)
    names = {**vars(importlib.import_module("msframework.doc")), **frame.f_globals}
    first, *path = call.removesuffix(".__init__").split(".")
    found = names.get(first)
    if found is None:  # a base of a class that the line calls
        called = [_resolve(names, *each.split(".")) for each in _CALLED.findall(last.line or "")]
        classes = [each for each in called if isinstance(each, type)]
        bases = [base for each in classes for base in each.__mro__]
        found = next((base for base in bases if base.__name__ == first), None)
    found = _resolve({first: found}, first, *path)
    parameters = _parameters(found) if callable(found) else {}
    known = [each for each, kind in parameters.items() if kind in _NAMED and each != "self"]
    asked = "Did you mean" in str(exc)  # by CPython itself, from 3.13 on
    meant = ARGUMENTS.get(name) or "".join([] if asked else get_close_matches(name, known, 1))
    question = f"Was {meant} meant? " if meant in known else ""
    return f"{question}It takes {', '.join(known)}." if known else ""


def _resolve(names: Mapping[str, object], first: str, *path: str) -> Any:
    """Return the object called *first*, or that at *path* behind it; `None` without one."""
    found = names.get(first)
    for step in path:
        found = getattr(found, step, None)
    return found


def _parameters(function: Callable[..., object]) -> Mapping[str, object]:
    try:
        return {name: each.kind for name, each in read_signature(function).parameters.items()}
    except (TypeError, ValueError):  # of a class or function of C that does not tell
        return {}


def _advice(name: str) -> str:
    for home in HOMES:
        module = _load(home)
        if module is not None and name in _names(module):
            return f"Write: from {home} import {name}."
    return ""


def _resembling(name: str, path: str) -> str:
    """Return the question whether a name of the module *path* was meant that is like *name*."""
    module = _load(path)
    close = get_close_matches(name, [] if module is None else list(_names(module)), 1)
    return f"Did you mean {close[0]}?" if close else ""


def _load(path: str) -> ModuleType | None:
    try:
        return importlib.import_module(path)
    except ImportError:  # a package of an extra that is not installed
        return None


def _names(module: ModuleType) -> Iterator[str]:
    """Yield the names that *module* offers."""
    own: Iterator[str] = iter(getattr(module, "__all__", ()) or vars(module))
    return (name for name in own if not name.startswith("_"))

"""Dotted paths from settings become objects, and what fails then says where. Runs at start-up."""

from __future__ import annotations

import importlib
import os
import sysconfig
import traceback
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from msframework.exceptions import Caused, ImproperlyConfigured

_LIBRARIES: Final = tuple(
    f"{place}{os.sep}"
    for place in {
        *(sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        str(Path(__file__).resolve().parent),
    }
)


def import_module(name: str, problems: list[str]) -> ModuleType | None:
    """Return the module *name*; append to *problems* why it cannot be imported, and where."""
    try:
        return importlib.import_module(name)
    except (Exception, SystemExit) as exc:
        problems.append(explain(exc, f"{name} cannot be imported"))
        return None


def explain(exc: BaseException, what: str) -> Caused:
    """Return *what* failed, with the exceptions and the project's own last line."""
    chain = [exc]
    while (earlier := chain[-1].__cause__ or chain[-1].__context__) is not None:
        if earlier in chain:
            break
        chain.append(earlier)
    said = ", from ".join(f"{type(each).__name__}: {each}".removesuffix(": ") for each in chain)
    return Caused.by(exc, f"{what}: {said} (at {_place_of(exc)})")


def _place_of(exc: BaseException) -> str:
    """Return the last line of the project's own that *exc* came through."""
    if isinstance(exc, SyntaxError) and exc.filename is not None:
        return f"{short_path(exc.filename)}:{exc.lineno}"
    frames = traceback.extract_tb(exc.__traceback__)
    own = [frame for frame in frames if _is_own(frame.filename)] or frames
    return f"{short_path(own[-1].filename)}:{own[-1].lineno}" if own else "no line of the project"


def _is_own(filename: str) -> bool:
    inside = "site-packages" in filename or "dist-packages" in filename
    return not (filename.startswith(("<", *_LIBRARIES)) or inside)


def short_path(filename: str) -> str:
    """Return *filename* as it is written from the current directory, where it lies below that."""
    relative = os.path.relpath(filename)
    return filename if relative.startswith("..") else relative


def import_object(path: str, *, where: str) -> Any:
    """Return what `package.module.name` (or `package.module:name`) names.

    Args:
        where: what asked for it, for the error message: a setting's name, for instance.

    Raises:
        ImproperlyConfigured: there is no such module, it cannot be imported, or it has no such
            name.
    """
    module_path, _, name = path.replace(":", ".").rpartition(".")
    if not module_path:
        raise ImproperlyConfigured(
            f"{where}: {path!r} is no dotted path. Write 'package.module.Name'."
        )
    try:
        module = importlib.import_module(module_path)
    except ModuleNotFoundError as exc:
        if exc.name is None or not f"{module_path}.".startswith(f"{exc.name}."):
            raise ImproperlyConfigured.of([explain(exc, f"{where}: {path!r}")]) from exc
        raise ImproperlyConfigured(
            f"{where}: {path!r} names the module {module_path!r}, which cannot be found "
            f"({exc}). Check the spelling and that the project's root is the current directory."
        ) from exc
    except ImproperlyConfigured:
        raise
    except Exception as exc:
        raise ImproperlyConfigured.of([explain(exc, f"{where}: {path!r}")]) from exc
    try:
        return getattr(module, name)
    except AttributeError as exc:
        raise ImproperlyConfigured(
            f"{where}: {path!r}: the module {module_path!r} has no name {name!r}."
        ) from exc

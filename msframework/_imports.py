"""Dotted paths from settings become objects; failures say where. Runs at start-up."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType
from typing import Any

from msframework._meant import find_meant
from msframework._place import describe
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem


def exists(module: str) -> bool:
    """Tell whether there is a module *module*, or a package around it that fails."""
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError as exc:
        return exc.name is not None and not f"{module}.".startswith(f"{exc.name}.")
    except Exception:  # a package around it fails, which importing it says
        return True


def import_module(name: str, problems: list[str]) -> ModuleType | None:
    """Return the module *name*; append to *problems* why it cannot be imported, and where."""
    try:
        return importlib.import_module(name)
    except ImproperlyConfigured as exc:  # it says where
        problems.extend(exc.problems)
        return None
    except (Exception, SystemExit) as exc:
        problems.append(explain(exc, f"{name} cannot be imported"))
        return None


def explain(exc: BaseException, subject: str) -> Problem:
    """Return the problem that *subject* failed: the project's last line, the exceptions behind."""
    chain = [exc]
    while (earlier := _cause_of(chain[-1])) is not None and earlier not in chain:
        chain.append(earlier)
    earlier_ones = (f"{type(each).__name__}: {each}".removesuffix(": ") for each in chain[1:])
    told = ", from ".join((f"{subject}: {describe(exc)}", *earlier_ones))
    advice = find_meant(exc)
    return Problem.caused(exc, f"{told}. {advice}" if advice else told)


def _cause_of(exc: BaseException) -> BaseException | None:
    """Return the exception that a traceback of *exc* shows before it."""
    return exc.__cause__ or (None if exc.__suppress_context__ else exc.__context__)


def import_object(path: str, *, where: str) -> Any:
    """Return the object of `package.module.name` (or `package.module:name`).

    Args:
        where: the place that asks for it, for the error message: a setting's name, for instance.

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
    except ImproperlyConfigured as exc:
        raise ImproperlyConfigured.of(
            f"{where}: {path!r}: {text}" for text in exc.problems
        ) from exc
    except Exception as exc:
        raise ImproperlyConfigured.of([explain(exc, f"{where}: {path!r}")]) from exc
    try:
        return getattr(module, name)
    except AttributeError as exc:
        raise ImproperlyConfigured(
            f"{where}: {path!r}: the module {module_path!r} has no name {name!r}."
        ) from exc

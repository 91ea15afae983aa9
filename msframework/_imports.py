"""Dotted paths from settings become objects. Runs at start-up."""

from __future__ import annotations

import importlib
from typing import Any

from msframework.exceptions import ImproperlyConfigured


def import_object(path: str, *, where: str) -> Any:
    """Return what `package.module.name` (or `package.module:name`) names.

    Args:
        where: what asked for it, for the error message: a setting's name, for instance.

    Raises:
        ImproperlyConfigured: there is no such module, or it has no such name.
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
            raise
        raise ImproperlyConfigured(
            f"{where}: {path!r} names the module {module_path!r}, which cannot be found "
            f"({exc}). Check the spelling and that the project's root is the current directory."
        ) from exc
    try:
        return getattr(module, name)
    except AttributeError as exc:
        raise ImproperlyConfigured(
            f"{where}: {path!r}: the module {module_path!r} has no name {name!r}."
        ) from exc

"""Which files of a project are watched for changes, and since when.

Runs in the supervisor of `runserver --reload`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

# NOTE: files that a service writes itself must not be among them, or it starts again and again.
SUFFIXES: Final = frozenset((".py", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".sql", ".html"))


class Watch:
    """The files of all imported modules and of the project, as they were when last looked at.

    NOTE: the first look is when it is made: a change that comes while the workers still start is
    seen. What is new, gone, or older than before, as after a checkout, has changed, too.

    Args:
        folders: the folders of the project.
    """

    def __init__(self, folders: Iterable[Path]) -> None:
        self._folders = tuple(folders)
        self._seen: dict[str, int | None] = {}
        for _ in self.changed():
            pass

    def changed(self) -> Iterator[str]:
        """Yield the files that changed since they were last looked at."""
        for name in self.files():
            when = _changed(name)
            before = self._seen.get(name)
            self._seen[name] = when
            if when != before:
                yield name

    def files(self) -> Iterator[str]:
        """Yield the files of all imported modules, the project's sources, and those that went."""
        names = set(sources(self._folders))
        for name in _module_files():
            if name not in names:
                # A library's, imported since: it was there all the time.
                self._seen.setdefault(name, _changed(name))
                names.add(name)
        yield from names
        yield from [name for name, when in self._seen.items() if when and name not in names]


def _module_files() -> Iterator[str]:
    """Yield the files of all modules that are imported."""
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if isinstance(name, str) and os.path.isfile(name):
            yield name


def _changed(name: str) -> int | None:
    """Return when *name* was changed, in nanoseconds; `None` for a file that is not there."""
    try:
        return os.stat(name).st_mtime_ns
    except OSError:
        return None


def sources(folders: Iterable[Path]) -> Iterator[str]:
    """Yield the files in *folders* that a person edits, as far as their names tell."""
    for folder in folders:
        for parent, names, files in os.walk(folder):
            names[:] = [name for name in names if _is_ours(os.path.join(parent, name))]
            for name in files:
                if os.path.splitext(name)[1] in SUFFIXES:
                    yield os.path.join(parent, name)


def _is_ours(folder: str) -> bool:
    name = os.path.basename(folder)
    return not (
        name.startswith(".")
        or name in ("__pycache__", "node_modules")
        or os.path.exists(os.path.join(folder, "pyvenv.cfg"))  # a virtual environment
    )

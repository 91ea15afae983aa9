"""Which files of a project are watched for changes, and since when.

Runs in the processes of `runserver --reload`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sanic.worker.reloader import Reloader

# NOTE: what a service writes itself must not be among them, or it starts again and again.
SUFFIXES: Final = frozenset((".py", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".sql", ".html"))


class Watch(Reloader):
    """Sanic's reloader, which looks at the sources of the project only, and in time.

    NOTE: Sanic's own (25.12) looks for the first time after its process has loaded the app, when
    the workers may already serve: a change that came in between was never noticed. And it watches
    every file of the folder, logs and bytecode included.
    """

    seen: dict[str, float]

    @classmethod
    def take_over(cls, reloader: Any) -> None:
        """Make *reloader* one of this class; the workers must not have read any file yet."""
        reloader.__class__ = cls
        reloader.seen = {}
        for _ in reloader.changed():
            pass

    def changed(self) -> Iterator[str]:
        """Yield the files that are newer than when they were last looked at."""
        for name in self.files():
            try:
                if self.check_file(name, self.seen):
                    yield name
            except OSError:  # removed since it was listed
                continue

    def files(self) -> Iterator[str]:
        """Yield the files of all imported modules, and the sources in the project's folders."""
        yield from self.python_files()  # type: ignore[no-untyped-call]
        yield from sources(self.reload_dirs)

    def check_file(self, filename: Any, mtimes: dict[str, float]) -> bool:  # type: ignore[override]
        """Say whether *filename* has changed since it was last looked at."""
        return bool(Reloader.check_file(str(filename), self.seen))


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

"""Which files of a project are watched for changes, and since when.

Runs in the processes of `runserver --reload`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from sanic.worker.reloader import Reloader

# NOTE: files that a service writes itself must not be among them, or it starts again and again.
SUFFIXES: Final = frozenset((".py", ".yml", ".yaml", ".toml", ".ini", ".cfg", ".sql", ".html"))


class Watch(Reloader):
    """Sanic's reloader, which looks at the sources of the project only, and in time.

    NOTE: Sanic's own (25.12) looks for the first time after its process has loaded the app, when
    the workers may already serve: a change that came in between was never noticed. It watches every
    file of the folder, logs and bytecode included, and takes no notice of files that are new, gone,
    or older than before, as after a checkout.
    """

    seen: dict[str, int | None]

    @classmethod
    def take_over(cls, reloader: Any) -> None:
        """Make *reloader* one of this class; the workers must not have read any file yet."""
        reloader.__class__ = cls
        reloader.seen = {}
        for _ in reloader.changed():
            pass

    def changed(self) -> Iterator[str]:
        """Yield the files that changed since they were last looked at."""
        for name in self.files():
            if self.check_file(name, self.seen):
                yield name

    def files(self) -> Iterator[str]:
        """Yield the files of all imported modules, the project's sources, and those that went."""
        names = set(sources(self.reload_dirs))
        for name in self.python_files():  # type: ignore[no-untyped-call]
            if name not in names:
                # A library's, imported since: it was there all the time.
                self.seen.setdefault(name, _changed(name))
                names.add(name)
        yield from names
        yield from [name for name, when in self.seen.items() if when and name not in names]

    def check_file(self, filename: Any, mtimes: dict[str, Any]) -> bool:  # type: ignore[override]
        """Return whether *filename* changed since it was last looked at."""
        name = str(filename)
        when = _changed(name)
        before = self.seen.get(name)
        self.seen[name] = when
        return when != before


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

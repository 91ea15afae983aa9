"""Migration files that are still to be written, all or none. Runs on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations.files import app_directory, read_files


@dataclass(frozen=True, slots=True)
class Draft:
    """One migration that is not written yet.

    Args:
        summary: a line for each operation.
        losses: the lines of those that lose data.
    """

    app: str
    path: Path
    text: str
    summary: tuple[str, ...] = ()
    losses: frozenset[str] = frozenset()

    def write(self) -> None:
        """Write the file, and the package around it where there is none yet.

        Raises:
            ImproperlyConfigured: it cannot be written.
        """
        write_drafts([self])


def write_drafts(drafts: Sequence[Draft]) -> None:
    """Write all files, or none, and the packages around them where there are none yet.

    Raises:
        ImproperlyConfigured: one cannot be written.
    """
    waiting: list[tuple[Path, Path]] = []
    written: list[Path] = []
    try:
        for draft in drafts:
            draft.path.parent.mkdir(exist_ok=True)
            (draft.path.parent / "__init__.py").touch()
            new = draft.path.with_suffix(".new")
            waiting.append((new, draft.path))
            new.write_text(draft.text, encoding="utf-8")
        for new, path in waiting:
            new.replace(path)
            written.append(path)
    except OSError as exc:
        for path in (*written, *(new for new, _ in waiting)):
            with suppress(OSError):
                path.unlink(missing_ok=True)
        place = draft.path if len(written) < 1 else path
        raise ImproperlyConfigured(
            f"{place} cannot be written: {exc.strerror}. Nothing was written."
        ) from exc


def next_path(app: str, title: str, ahead: int = 0) -> Path:
    """Return the path of the next file of *app*, a dotted name, or of one *ahead* of it."""
    directory = app_directory(app)
    assert directory is not None  # choose_apps lets only packages through
    number = max((file.last_number for file in read_files(app)), default=0) + 1 + ahead
    return directory / "migrations" / f"{number:04}_{title}.py"

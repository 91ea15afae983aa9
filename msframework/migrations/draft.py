"""Migrations that `makemigrations` writes: their app, name and text.

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from playhouse.schema_diff import SchemaDiff

from msframework.exceptions import ImproperlyConfigured
from msframework.migrations import detect
from msframework.migrations.files import app_directory, app_label, has_classes, read_files
from msframework.migrations.runner import Runner


@dataclass(frozen=True, slots=True)
class Draft:
    """One migration that is not written yet."""

    app: str
    path: Path
    text: str
    summary: tuple[str, ...] = ()

    @property
    def todos(self) -> list[str]:
        """The parts that it leaves to its author."""
        return detect.read_todos(self.text)

    def write(self) -> None:
        """Write the file, and the package around it where there is none yet.

        Raises:
            ImproperlyConfigured: the directory cannot be written.
        """
        try:
            self.path.parent.mkdir(exist_ok=True)
            (self.path.parent / "__init__.py").touch()
            self.path.write_text(self.text)
        except OSError as exc:
            raise ImproperlyConfigured(f"{self.path} cannot be written: {exc.strerror}.") from exc


def draft_empty(apps: Sequence[str], app: str, name: str | None) -> Draft:
    """Return a migration of *app* that does nothing yet.

    Raises:
        ImproperlyConfigured: no such app, or it keeps its migrations in classes.
    """
    (chosen,) = _choose(apps, app)
    title = detect.slug(name or "custom")
    return Draft(app_label(chosen), _path(chosen, title), detect.render_empty(title))


def draft_changes(runner: Runner, app: str | None, name: str | None) -> list[Draft]:
    """Return a migration for each app whose models differ from the database.

    The database is looked at as if everything pending were applied.

    Raises:
        ImproperlyConfigured: no such app; a pending migration fails; PostgreSQL cannot be reached.
    """
    with runner.rehearsed() as database:
        diffs = {}
        for each in _choose(runner.apps, app):
            diff = detect.find_changes(database, each, detect.read_models(each))
            if diff:
                diffs[each] = diff
        paths = {
            each: _path(each, detect.slug(name) if name else _title(each, diff))
            for each, diff in diffs.items()
        }
        drafts = []
        for each, diff in diffs.items():
            depends = _dependencies(runner.apps, each, diff, paths)
            text = detect.render(database, diff, depends)
            summary = tuple(str(diff).splitlines())
            drafts.append(Draft(app_label(each), paths[each], text, summary))
        return drafts


def _choose(apps: Sequence[str], app: str | None) -> list[str]:
    if app is None:
        return [each for each in apps if app_directory(each) is not None and not has_classes(each)]
    chosen = [each for each in apps if app_label(each) == app_label(app)]
    if not chosen:
        raise ImproperlyConfigured(
            f"There is no app {app!r}; INSTALLED_APPS has {', '.join(apps) or 'none'}."
        )
    if app_directory(chosen[0]) is None:
        raise ImproperlyConfigured(f"{chosen[0]} is a module; only a package has migrations.")
    if has_classes(chosen[0]):
        raise ImproperlyConfigured(
            f"{chosen[0]} keeps its migrations in classes, in migrations.py: add a version there."
        )
    return chosen


def _title(app: str, diff: SchemaDiff) -> str:
    return detect.name_of(diff) if read_files(app) else "initial"


def _path(app: str, title: str) -> Path:
    directory = app_directory(app)
    assert directory is not None  # _choose lets only packages through
    number = max((file.idx for file in read_files(app)), default=0) + 1
    return directory / "migrations" / f"{number:04}_{title}.py"


def _dependencies(
    apps: Sequence[str], app: str, diff: SchemaDiff, paths: dict[str, Path]
) -> tuple[str, ...]:
    """Return the last migration of every other app that a new foreign key points into."""
    found = []
    for model in detect.targets(diff):
        owners = [each for each in apps if f"{model.__module__}.".startswith(f"{each}.")]
        owner = max(owners, key=len, default=app)
        if owner == app or has_classes(owner):
            continue
        names = [file.name for file in read_files(owner)]
        names += [paths[owner].stem] if owner in paths else []
        if names:
            found.append(f"{app_label(owner)}.{names[-1]}")
    return tuple(dict.fromkeys(found))

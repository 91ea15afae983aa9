"""The files for a list of operations: one or more for each app, with state, name and depends.

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from msframework.migrations import operations as ops
from msframework.migrations.declared import table_name
from msframework.migrations.difference import find_operations
from msframework.migrations.draft_file import Draft, next_path
from msframework.migrations.effects import apply_operations, reach
from msframework.migrations.operations.base import MigrationOperation
from msframework.migrations.operations.program import wants_steps
from msframework.migrations.partition import OperationBatch, part_operations
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import SchemaState
from msframework.migrations.source import MigrationText, write
from msframework.migrations.step import label
from msframework.migrations.survey import Survey
from msframework.migrations.titles import docstring, file_title, slug
from msframework.migrations.versions import TableStep


class Drafting:
    """The files of one change, while they are made.

    Args:
        marks: what each of them says besides.
    """

    def __init__(
        self, found: Survey, name: str | None, marks: tuple[tuple[str, object], ...] = ()
    ) -> None:
        self._survey, self._name, self._marks = found, name, marks
        self._last = {app: label(leaf) for app in found.apps if (leaf := found.history(app).leaf())}
        self._written = dict.fromkeys(found.apps, 0)

    def drafts(self, old: SchemaState, operations: Sequence[MigrationOperation]) -> Iterator[Draft]:
        """Yield the files, each after those that it depends on."""
        models = self._survey.models
        enums = {each.name for each in (*old.enums, *models.state.enums)}
        batches = part_operations(operations, self._owner, enums)
        now, labels = old, list[str]()
        for number, batch in enumerate(batches):
            now = apply_operations(now, batch.operations)
            again = any(each.app == batch.app for each in batches[number + 1 :])
            state = self._restricted(now, batch.app) if again else models.of(batch.app)
            depends = [labels[each] for each in batch.after]
            depends += self._targets(batch, depends)
            draft = self._draft(batch.app, batch.operations, state, depends)
            labels.append(f"{draft.app}.{draft.path.stem}")
            yield draft
        yield from self._followers({batch.app for batch in batches}, labels)

    def _followers(self, done: set[str], labels: Sequence[str]) -> Iterator[Draft]:
        """Yield a file without operations for each app whose state another app's changes affect."""
        for app in self._survey.apps:
            new = self._survey.models.of(app)
            if app not in done and not _says_the_same(self._survey.old[app], new):
                others = [each for each in labels if not each.startswith(f"{app}.")]
                others += self._givers(app, (table.name for table in new.tables))
                yield self._draft(app, (), new, others)

    def _givers(self, app: str, names: Iterable[str]) -> Iterator[str]:
        """Yield the last migrations of the apps that tables of *app* belonged to before."""
        for name in names:
            for other, state in self._survey.old.items():
                if other != app and other in self._last and state.table(name) is not None:
                    yield self._last[other]

    def _draft(
        self,
        app: str,
        operations: Sequence[MigrationOperation],
        state: SchemaState,
        depends: Sequence[str],
    ) -> Draft:
        first = app not in self._last
        title = slug(self._name) if self._name else self._title(operations, first)
        path = next_path(self._survey.apps[app], title, self._written[app])
        previous = [] if first else [self._last[app]]
        self._last[app] = f"{app}.{path.stem}"
        self._written[app] += 1
        text = MigrationText(
            docstring(operations),
            tuple(dict.fromkeys((*previous, *depends))),
            atomic=not wants_steps(operations),
            operations=tuple(operations),
            state=state,
            marks=self._marks,
        )
        lost = [each for each in operations if isinstance(each, ops.DropTable | ops.DropColumn)]
        summary = tuple(_line(self._survey.old.get(app), each) for each in operations)
        return Draft(
            app,
            path,
            write(text),
            summary or ("note what the models say",),
            frozenset(_line(self._survey.old.get(app), each) for each in lost),
        )

    @staticmethod
    def _title(operations: Sequence[MigrationOperation], first: bool) -> str:
        if first:
            return "initial"
        return file_title(operations) if operations else "follow"

    def _owner(self, operation: MigrationOperation) -> str:
        """Return the label of the app that the changed table or type belongs to."""
        models = self._survey.models
        owners = {**models.owners} | {
            f"type {name}": app for name, app in models.enum_owners.items()
        }
        names = sorted(reach(operation, ()).changed)
        if isinstance(operation, ops.RenameTable):
            names = [operation.new, operation.old]
        for name in names:
            if owners.get(name) in self._survey.apps:
                return owners[name]
        for name in names:
            for app, state in self._survey.old.items():
                known = {table.name for table in state.tables}
                if name in known | {f"type {enum.name}" for enum in state.enums}:
                    return app
        raise LookupError(names)  # pragma: no cover - every operation is about a known table

    def _restricted(self, state: SchemaState, app: str) -> SchemaState:
        """Return the part of *state* of one app that has further files to come."""
        models, old = self._survey.models, self._survey.old[app]
        tables = {table.name for table in old.tables if table.name not in models.owners}
        enums = {enum.name for enum in old.enums if enum.name not in models.enum_owners}
        return SchemaState(
            tuple(t for t in state.tables if models.owners.get(t.name) == app or t.name in tables),
            enums=tuple(
                e for e in state.enums if models.enum_owners.get(e.name) == app or e.name in enums
            ),
        )

    def _targets(self, batch: OperationBatch, depends: Iterable[str]) -> list[str]:
        """Return the last migrations of other apps whose tables *batch* points to."""
        known = {each.partition(".")[0] for each in depends} | {batch.app}
        found = []
        enums = set(self._survey.models.enum_owners)
        needed = dict.fromkeys(
            table for each in batch.operations for table in sorted(reach(each, enums).needed)
        )
        models = self._survey.models
        for table in needed:
            owner = models.owners.get(table) or models.enum_owners.get(table.removeprefix("type "))
            if owner is None or owner in known:
                continue
            last = self._last.get(owner) or self._last_of_other(owner, table)
            found += [last] if last else []
        changed = (name for each in batch.operations for name in reach(each, enums).changed)
        found += [
            each for each in self._givers(batch.app, sorted(changed)) if not _is_of(known, each)
        ]
        return list(dict.fromkeys(found))

    def _last_of_other(self, app: str, table: str) -> str | None:
        """Return the last migration of an app that is not compared, or the class of a table."""
        history = self._survey.history(app)
        if history.leaves:
            return label(history.leaves[-1])
        for step in self._survey.reading.steps:
            if (
                isinstance(step, TableStep)
                and step.app == app
                and table_name(step.owner._model) == table
            ):
                return label(step)
        return None


def _is_of(apps: Collection[str], name: str) -> bool:
    return name.partition(".")[0] in apps


def _says_the_same(old: SchemaState, new: SchemaState) -> bool:
    """Say whether both states are equal but for the order of tables."""
    names = [{table.name for table in state.tables} for state in (old, new)]
    if names[0] != names[1] or {e.name for e in old.enums} != {e.name for e in new.enums}:
        return False
    return not find_operations(old, new, SilentAnswers())


def _line(old: SchemaState | None, operation: MigrationOperation) -> str:
    """Return *operation* in a line, with what a dropped table or column takes along."""
    text = operation.describe()
    if old is None or not isinstance(operation, ops.DropTable | ops.DropColumn):
        return text
    if isinstance(operation, ops.DropTable):
        return (
            f"{text}, with its columns {', '.join(each.name for each in operation.table.columns)}"
        )
    table = old.table(operation.table)
    if table is None:
        return text
    after = apply_operations(SchemaState((table,)), (operation,)).tables[0]
    gone = [f"index {each.name}" for each in table.indexes if each not in after.indexes]
    gone += [
        f"constraint {each.name}" for each in table.constraints if each not in after.constraints
    ]
    return f"{text}, with {', '.join(gone)}" if gone else text

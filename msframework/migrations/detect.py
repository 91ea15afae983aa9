"""From the difference between models and database to the text of a migration. Runs at start-up.

The difference is `playhouse.schema_diff`'s, the text `playhouse.migrations.template`'s. What the
template leaves out is put in here: defaults that are functions of a module, SQL constraints,
collations, the element type of arrays, options of foreign keys.
"""

from __future__ import annotations

import ast
import importlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FunctionType
from typing import Any

import peewee
from playhouse.migrations import template
from playhouse.postgres_ext import ArrayField, IndexedFieldMixin
from playhouse.schema_diff import SchemaDiff, diff_models

from msframework._tested import demand
from msframework.exceptions import ImproperlyConfigured

_LONGEST_NAME = 40
_PEEWEE = frozenset(peewee.__all__)


class _SourceText(str):
    """A default that the template, which writes the `repr` of texts, writes as this source."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


def read_models(app: str) -> list[type[peewee.Model]]:
    """Return the models that *app* declares in its module or package `models`.

    A class without a field of its own is taken for the base of others.
    """
    name = f"{app}.models"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as exc:
        if exc.name != name:
            raise
        return []
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and issubclass(value, peewee.Model)
        and f"{value.__module__}.".startswith(f"{name}.")
        and not _is_base(value)
    ]
    return list(dict.fromkeys(found))  # NOTE: a module may give a model a second name


def find_changes(
    database: peewee.PostgresqlDatabase, app: str, models: Sequence[type[peewee.Model]]
) -> SchemaDiff:
    """Return the difference of *models* and *database*, in both directions.

    Raises:
        ImproperlyConfigured: peewee cannot compare them.
    """
    try:
        return diff_models(database, models)
    except ValueError as exc:
        raise ImproperlyConfigured(f"{app}: the models cannot be compared: {exc}") from exc


def targets(diff: SchemaDiff) -> list[type[peewee.Model]]:
    """Return the models that new foreign keys of *diff* point to."""
    fields = [each for model in diff.create_tables for each in model._meta.sorted_fields]
    fields += diff.add_columns
    return [each.rel_model for each in fields if isinstance(each, peewee.ForeignKeyField)]


def name_of(diff: SchemaDiff) -> str:
    """Return a name for the changes of *diff*: `add_sex`, or `changes` where that is too much."""
    parts = [f"create_{model._meta.table_name}" for model in diff.create_tables]
    parts += [f"add_{field.column_name}" for field in diff.add_columns]
    parts += [f"drop_{column}" for _, column in diff.drop_columns]
    indexes = [("index", each) for each in diff.add_indexes]
    indexes += [("drop_index", each) for each in diff.drop_indexes]
    for verb, index in indexes:
        parts.append(f"{verb}_{'_'.join(index.columns or (index.name,))}")
    return slug("_".join(parts)) if len("_".join(parts)) <= _LONGEST_NAME else "changes"


def slug(text: str) -> str:
    """Return *text* as a part of a file's name."""
    return re.sub(r"\W+", "_", text).strip("_").lower() or "changes"


def render(database: peewee.PostgresqlDatabase, diff: SchemaDiff, depends: Sequence[str]) -> str:
    """Return the text of a migration that makes the changes of *diff*.

    Changes that cannot be written are left as `# TODO:` lines at the top.

    Args:
        depends: the migrations of other apps that must be applied before, as `app.name`.
    """
    created = [each for model in diff.create_tables for each in model._meta.sorted_fields]
    imports: set[str] = set()
    todos: list[str] = []
    for field in diff.add_columns:
        where = f"{field.model._meta.table_name}.{field.column_name}"
        if _extras(database, field, set()) and not field.null and field.default is None:
            todos.append(f"{where}: not-null column needs a default or allow_not_null backfill")
        if getattr(field, "deferrable", None):
            todos.append(f"{where}: DEFERRABLE must be added by hand")
    with _written_out(database, created, diff.add_columns, imports):
        text = template(diff)
    for model in diff.create_tables:
        text = _with_options(database, text, model)
    return _finish(text, imports, todos, depends)


def render_empty(name: str, depends: Sequence[str] = ()) -> str:
    """Return the text of a migration that does nothing yet."""
    needs = f"depends = {tuple(depends)!r}\n" if depends else ""
    return (
        f'"""{name.replace("_", " ").capitalize()}."""\n\n'
        "# atomic = False  # for what cannot run in a transaction, as CREATE INDEX CONCURRENTLY\n"
        f'{needs}\n\ndef up(migrator, db):\n    """Change the tables, or the data in them."""\n\n\n'
        'def down(migrator, db):\n    """Take it back; without this there is no way back."""\n'
    )


def read_todos(text: str) -> list[str]:
    """Return the parts that a written migration leaves to its author."""
    return re.findall(r"^# TODO: (.*)$", text, re.MULTILINE)


def _is_base(model: type[peewee.Model]) -> bool:
    meta = model._meta
    return [field.name for field in meta.sorted_fields] == ["id"] and not meta.indexes


@contextmanager
def _written_out(
    database: peewee.PostgresqlDatabase,
    created: Sequence[peewee.Field],
    added: Sequence[peewee.Field],
    imports: set[str],
) -> Iterator[None]:
    """Let the fields' defaults be the source text of all that the template would leave out."""
    kept = [(field, field.default) for field in (*created, *added)]
    try:
        for field, _ in kept:
            extras = _extras(database, field, imports)
            source = _function_source(field.default, imports)
            if source is None and isinstance(field.default, FunctionType) and _in(field, created):
                source = "None"  # a lambda; CREATE TABLE takes no default from Python anyway
            if source is None and extras:
                source = _literal_source(field.default)
            if source is not None:
                field.default = _SourceText(", ".join([source, *extras]))
        yield
    finally:
        for field, default in kept:
            field.default = default


def _in(field: peewee.Field, fields: Sequence[peewee.Field]) -> bool:
    return any(field is each for each in fields)  # NOTE: == between fields makes an expression


def _function_source(default: object, imports: set[str]) -> str | None:
    """Return the name of a function of a module, and note its import; `None` for all else."""
    if not isinstance(default, FunctionType) or not default.__qualname__.isidentifier():
        return None
    imports.add(f"from {default.__module__} import {default.__name__}")
    return default.__name__


def _literal_source(default: object) -> str:
    """Return *default* as source; one that is computed is of no use to a new column's DDL."""
    if default in (dict, list):
        return str(default.__name__)
    return repr(default) if isinstance(default, (str, int, float, bool)) else "None"


def _extras(
    database: peewee.PostgresqlDatabase, field: peewee.Field, imports: set[str]
) -> list[str]:
    """Return the arguments of *field* that the template leaves out, as source."""
    extras = []
    constraints = [text for each in field.constraints or () if (text := _sql(database, each))]
    if constraints:
        extras.append(f"constraints=[{', '.join(f'SQL({text!r})' for text in constraints)}]")
    if field.collation:
        extras.append(f"collation={field.collation!r}")
    if isinstance(field, IndexedFieldMixin):  # indexed unless told otherwise, and not as a tree
        if not field.index:
            extras.append("index=False")
        elif field.index_type != field.default_index_type:
            extras.append(f"index_type={field.index_type!r}")
    if isinstance(field, ArrayField):
        demand("peewee", "an array column")
        inner = field._ArrayField__field  # there is no public way to it
        extras.append(f"field_class={type(inner).__name__}")
        imports.add(f"from {type(inner).__module__} import {type(inner).__name__}")
        if isinstance(inner, peewee.CharField):
            extras.append(f"field_kwargs={{'max_length': {inner.max_length}}}")
        if field.dimensions != 1:
            extras.append(f"dimensions={field.dimensions}")
    if isinstance(field, peewee.ForeignKeyField):
        for option in ("deferrable", "constraint_name"):
            if getattr(field, option, None):
                extras.append(f"{option}={getattr(field, option)!r}")
    return extras


def _with_options(database: peewee.PostgresqlDatabase, text: str, model: type[peewee.Model]) -> str:
    """Put the options into the model's Meta in *text* that the template leaves out."""
    options = []
    if not model._meta.legacy_table_names:  # the names of indexes depend on it
        options.append("legacy_table_names = False")
    constraints = [_sql(database, each) for each in model._meta.constraints or ()]
    if constraints:
        source = ", ".join(f"SQL({each!r})" for each in constraints)
        options.append(f"constraints = [{source}]")
    line = f"            table_name = {model._meta.table_name!r}\n"
    return text.replace(line, line + "".join(f"            {each}\n" for each in options), 1)


def _sql(database: peewee.PostgresqlDatabase, node: peewee.Node) -> str:
    context: Any = database.get_sql_context()
    sql, parameters = context.sql(node).query()
    if parameters:
        raise ImproperlyConfigured(
            f"The constraint {sql!r} has parameters, which a migration cannot hold: write its "
            "values into its SQL."
        )
    return str(sql)


def _finish(text: str, imports: set[str], todos: Sequence[str], depends: Sequence[str]) -> str:
    """Put in the fields that the template doesn't know, and import peewee's by name."""
    used = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    used |= {name for line in imports if (name := _from_peewee(line))}
    names = ", ".join(sorted(used & _PEEWEE))
    lines = [f"from peewee import {names}"] if names else []
    lines += sorted(line for line in imports if not _from_peewee(line))
    text = text.replace("from peewee import *", "\n".join(lines), 1)
    head, up, rest = text.partition("\n\ndef up(")
    for todo in todos:
        head += f"\n# TODO: {todo}"
    if depends:
        head += f"\n\ndepends = {tuple(depends)!r}"
    return (
        re.sub(r"\n{3,}", "\n\n", head).rstrip("\n") + "\n\n" + up.lstrip("\n").join(("\n", rest))
    )


def _from_peewee(line: str) -> str | None:
    head = "from peewee import "
    return line.removeprefix(head) if line.startswith(head) else None

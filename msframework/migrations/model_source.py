"""A `SchemaState` as the text of a module of models. Runs on the command line.

Models say the same as the state, name by name, so that `makemigrations` finds nothing to do. What a
model cannot say is a comment at its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import peewee

import msframework.models
from msframework.migrations.field_source import FOREIGN_NAMES, OURS, SourceImports
from msframework.migrations.model_names import name_classes
from msframework.migrations.model_text import ModelContext, ModelText, TableFacts
from msframework.migrations.schema import SchemaState, Table

_TITLE: Final = "Models of the tables of a database, written by `manage.py inspectdb`."


def render_models(state: SchemaState, remarks: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return a module of models for the tables of *state*.

    Args:
        remarks: what else is to be said of a table, by its name.
    """
    facts = {table.name: TableFacts(table) for table in state.tables}
    for each in facts.values():
        each.link(facts)
    classes = name_classes(facts, {*msframework.models.__all__, *FOREIGN_NAMES})
    imports = SourceImports(
        {*msframework.models.__all__, *FOREIGN_NAMES, *classes.values(), *peewee.__all__}
    )
    enums = {enum.name: enum for enum in state.enums}
    context = ModelContext(facts, classes, enums, imports)
    texts = []
    for table in _in_order(state.tables, facts):
        texts.append(ModelText(table, context, (remarks or {}).get(table.name, ())).render())
        context.written.add(table.name)
    imports.use("Model", OURS)
    head = "\n".join([f'"""{_TITLE}"""', "", *imports.lines(), ""])
    own = [imports.classes[name] for name in sorted(imports.classes)]
    return "\n\n".join([head, *own, *texts])


def _in_order(tables: Sequence[Table], facts: Mapping[str, TableFacts]) -> list[Table]:
    """Return *tables* so that each comes after those it points to, but for circles."""
    ordered: dict[str, Table] = {}
    entered: set[str] = set()

    def visit(table: Table) -> None:
        if table.name in entered:
            return
        entered.add(table.name)
        for target in sorted({key.target for key in table.foreign_keys} & facts.keys()):
            visit(facts[target].table)
        ordered[table.name] = table

    for table in sorted(tables, key=lambda each: each.name):
        visit(table)
    return list(ordered.values())

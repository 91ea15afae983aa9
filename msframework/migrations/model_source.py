"""A `SchemaState` as the text of a module of models. Runs on the command line.

The models describe the same state, name by name, so that `makemigrations` finds no changes.
Comments list what a model cannot declare.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

import peewee

import msframework.models
from msframework.migrations.field_source import FOREIGN_NAMES, OURS, SourceImports
from msframework.migrations.known_models import KnownModel
from msframework.migrations.model_names import name_classes
from msframework.migrations.model_text import ModelContext, ModelText
from msframework.migrations.schema import SchemaState, Table
from msframework.migrations.table_facts import TableFacts

_TITLE: Final = "Models of the tables of a database, written by `manage.py inspectdb`."


def render_models(
    state: SchemaState,
    remarks: Mapping[str, Sequence[str]] | None = None,
    known: Collection[KnownModel] = (),
) -> str:
    """Return a module of models for the tables of *state*.

    Args:
        remarks: further comments on tables, by their names.
        known: models of other tables, to which foreign keys can point.
    """
    taken = {*msframework.models.__all__, *FOREIGN_NAMES}
    usable = (each for each in known if each.name not in taken and _is_only(each, known))
    others = {each.table.name: each for each in usable}
    facts = {table.name: TableFacts(table) for table in state.tables}
    facts |= {name: TableFacts(each.table, each.fields) for name, each in others.items()}
    for table in state.tables:
        facts[table.name].link(facts)
    own_names = [each.name for each in others.values()]
    classes = name_classes([table.name for table in state.tables], {*taken, *own_names})
    imports = SourceImports({*taken, *own_names, *classes.values(), *peewee.__all__})
    classes |= {name: each.name for name, each in others.items()}
    enums = {enum.name: enum for enum in state.enums}
    modules = {name: each.module for name, each in others.items() if each.module}
    context = ModelContext(facts, classes, enums, imports, modules, set(others))
    texts = []
    for table in _in_order(state.tables, facts):
        texts.append(ModelText(table, context, (remarks or {}).get(table.name, ())).render())
        context.written.add(table.name)
    imports.use("Model", OURS)
    head = "\n".join([f'"""{_TITLE}"""', "", *imports.lines(), ""])
    own = [imports.classes[name] for name in sorted(imports.classes)]
    return "\n\n".join([head, *own, *texts])


def _is_only(model: KnownModel, known: Collection[KnownModel]) -> bool:
    """Say whether no other model has the name of *model*."""
    return sum(each.name == model.name for each in known) == 1


def _in_order(tables: Sequence[Table], facts: Mapping[str, TableFacts]) -> list[Table]:
    """Return *tables* so that each comes after those it points to, but for circles."""
    ordered: dict[str, Table] = {}
    entered = facts.keys() - {table.name for table in tables}

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

"""One table as the text of a model. Runs on the command line."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from msframework.migrations.adopted import define, is_key
from msframework.migrations.clauses import (
    ConstraintClause,
    build_constraint,
    read_constraint,
)
from msframework.migrations.field_source import (
    OURS,
    FieldClass,
    SourceImports,
    choose_class,
)
from msframework.migrations.index_clause import read_index
from msframework.migrations.index_text import generated_name, plain_columns
from msframework.migrations.naming import clip, mentioned, name_object
from msframework.migrations.operations.ddl import (
    constraint_definition,
    create_index,
    schema_of,
)
from msframework.migrations.scanner import Scanner, Unreadable
from msframework.migrations.schema import Column, Constraint, EnumType, ForeignKey, Index, Table
from msframework.migrations.source_layout import (
    WIDTH,
    Bracketed,
    QuotedText,
    SourcePart,
    lay_out,
    source,
)
from msframework.migrations.sql import quote, words
from msframework.migrations.table_facts import TableFacts

# Words that cannot occur in a column's DEFAULT outside of parentheses (b_expr of the grammar).
_LOGIC: Final = {
    "and",
    "or",
    "not",
    "in",
    "like",
    "ilike",
    "similar",
    "between",
    "is",
}


@dataclass(slots=True)
class ModelContext:
    """The state that the models of one module share.

    Args:
        facts: of every table, by its name.
        classes: the names of the models, by the tables'.
        modules: of the models that are imported, by the tables' names.
        written: the tables whose models are above, or elsewhere.
    """

    facts: Mapping[str, TableFacts]
    classes: Mapping[str, str]
    enums: Mapping[str, EnumType]
    imports: SourceImports
    modules: Mapping[str, str]
    written: set[str]

    def name(self, table: str) -> str:
        """Return the name of the model of *table*, and note its import."""
        name = self.classes[table]
        return self.imports.use(name, self.modules[table]) if table in self.modules else name


class ModelText:
    """The text of one model, line by line."""

    def __init__(self, table: Table, context: ModelContext, remarks: Sequence[str]) -> None:
        self._table, self._context = table, context
        self._facts = context.facts[table.name]
        self._remarks = [f"In the database only: {remark}" for remark in remarks]
        self._columns = {column.name: column for column in table.columns}
        self._checks: dict[str, list[SourcePart]] = {name: [] for name in self._columns}
        self._meta_constraints: list[SourcePart] = []
        self._meta_indexes: list[SourcePart] = []
        self._own_indexes: dict[str, Index] = {}
        self._placed: set[str] = set()
        self._unnamed: set[str] = set()

    @cached_property
    def _field_classes(self) -> dict[str, FieldClass]:
        context, key = self._context, self._facts.key_columns
        found = {}
        for name, column in self._columns.items():
            if name not in self._facts.references:
                found[name] = choose_class(column, context.enums, context.imports, key == (name,))
        return found

    def render(self) -> str:
        """Return the class statement, with comments above it on what it cannot declare."""
        for constraint, clause in self._read_constraints():
            self._place_constraint(constraint, clause)
            self._placed.add(constraint.name)
        for index in sorted(self._table.indexes, key=lambda each: len(each.elements)):
            self._place_index(index)
        fields = [self._field(column) for column in self._table.columns]
        meta = list(self._meta())
        remarks = [line for remark in self._remarks for line in _comment(remark)]
        base = self._context.imports.use("Model")
        head = f"class {self._context.classes[self._table.name]}({base}):"
        body = [*fields, *([""] if fields else []), "    class Meta:", *meta]
        return "\n".join([*remarks, head, *body, ""])

    def _read_constraints(self) -> list[tuple[Constraint | ForeignKey, ConstraintClause]]:
        """Return the constraints that a model can have, and put the others among the remarks."""
        found = []
        for each in self._table.constraints:
            try:
                clause = read_constraint(constraint_definition(each))
                target = ".".join(clause.target)
                if is_key(each) or build_constraint(each.name, clause, target) == each:
                    found.append((each, clause))
                    continue
            except Unreadable:
                pass
            self._remarks.append(f"In the database only: {constraint_definition(each)}")
        return found

    def _place_constraint(
        self, constraint: Constraint | ForeignKey, clause: ConstraintClause
    ) -> None:
        """Put *constraint* at its field or into Meta."""
        if isinstance(constraint, Constraint) and is_key(constraint):
            self._check_key(constraint)
            return
        columns = clause.columns
        if clause.label == "check":
            columns = tuple(mentioned(clause.definition, self._columns))
        middle = columns if clause.label != "check" or len(columns) == 1 else ()
        if constraint.name == self._default_name(middle, clause.label):
            self._unnamed.add(constraint.name)
        if self._facts.references.get(columns[0] if columns else "") == constraint:
            return
        is_named = constraint.name not in self._unnamed
        text = _constraint_source(self._context.imports, constraint, is_named)
        if clause.label == "check" and len(columns) == 1:
            self._checks[columns[0]].append(text)
        else:
            self._meta_constraints.append(text)

    def _check_key(self, key: Constraint) -> None:
        """Add a remark where a model would have *key* otherwise than it is."""
        plain = f"PRIMARY KEY ({', '.join(map(quote, self._facts.key_columns))})"
        name = self._default_name((), "pkey")
        if key != Constraint(name, plain):
            self._remarks.append(
                f"In the database only: {constraint_definition(key)}. A model calls it {name}."
            )

    def _default_name(self, columns: Sequence[str], label: str) -> str:
        """Return the name that PostgreSQL gives to a constraint after those that are placed."""
        return name_object(self._facts.bare, columns, label, self._placed)

    def _place_index(self, index: Index) -> None:
        """Put *index* at its field or into Meta."""
        columns = plain_columns(index.elements)
        simple = Index(index.name, index.elements, unique=index.unique, method=index.method)
        if index == simple and columns and index.name == generated_name(self._facts.bare, columns):
            if len(columns) == 1 and columns != self._facts.key_columns:
                self._own_indexes[columns[0]] = index
                return
            if index.method == "btree" and not any(map(self._has_method, columns)):
                names = ", ".join(source(self._facts.fields[name]) for name in columns)
                comma = "," if len(columns) == 1 else ""
                self._meta_indexes.append(f"(({names}{comma}), {index.unique})")
                return
        statement = create_index(self._table.name, index)
        if _reads_as(statement, index):
            self._meta_indexes.append(_sql(self._context.imports, statement))
        else:
            self._remarks.append(f"In the database only: {statement}")

    def _has_method(self, column: str) -> bool:
        """Say whether the field of *column* has an index method, used by all its indexes."""
        own, chosen = self._own_indexes.get(column), self._field_classes.get(column)
        if own is not None and own.method != "btree":
            return True
        return chosen is not None and chosen.method is not None

    def _field(self, column: Column) -> str:
        arguments: list[SourcePart]
        name = self._facts.fields[column.name]
        key = self._facts.references.get(column.name)
        if key is not None:
            head, arguments = self._reference(name, key)
            implied = name if name.endswith("_id") else f"{name}_id"
            method = None
        else:
            chosen = self._field_classes[column.name]
            head, arguments, implied = chosen.name, list(chosen.arguments), name
            method = chosen.method
        if column.name != implied:
            arguments.append(f"column_name={source(column.name)}")
        is_key = self._facts.key_columns == (column.name,)
        if is_key and head not in ("AutoField", "BigAutoField", "IdentityField"):
            arguments.append("primary_key=True")
        if column.null:
            arguments.append("null=True")
        if not is_key:
            arguments += self._index_arguments(column.name, method, is_reference=key is not None)
        arguments += self._clauses(column, head)
        return "\n".join(lay_out(Bracketed(f"{name} = {head}(", tuple(arguments)), 4))

    def _reference(self, name: str, key: ForeignKey) -> tuple[str, list[SourcePart]]:
        """Return the class of a foreign key, and its arguments for the target."""
        context, target = self._context, self._context.facts[key.target]
        head, model = "ForeignKeyField", context.classes[key.target]
        is_named = key.name not in self._unnamed
        if key.target == self._table.name:
            arguments: list[SourcePart] = [source("self")]
        elif key.target in context.written:
            arguments = [context.name(key.target)]
        else:  # its model is below: the two point at each other
            head, arguments = "DeferredForeignKey", [source(model)]
            peewees = clip(f"fk_{self._facts.bare}_{key.columns[0]}_refs_{target.bare}")
            is_named = key.name != peewees
        context.imports.use(head, OURS if head == "ForeignKeyField" else "peewee")
        if target.key_columns != key.target_columns:
            arguments.append(f"field={source(target.fields[key.target_columns[0]])}")
        if own := self._facts.values.get(key.columns[0]):
            arguments.append(f"object_id_name={source(own)}")
        others = [k for k in self._facts.references.values() if k.target == key.target]
        if len(others) > 1:
            owner = context.classes[self._table.name].lower()
            arguments.append(f"backref={source(f'{owner}_{name}_set')}")
        if key.on_delete:
            arguments.append(f"on_delete={source(key.on_delete)}")
        if key.on_update:
            arguments.append(f"on_update={source(key.on_update)}")
        if key.deferrable:
            arguments.append(f"deferrable={source(f'INITIALLY {key.deferrable.upper()}')}")
        if is_named:
            arguments.append(f"constraint_name={source(key.name)}")
        return head, arguments

    def _index_arguments(
        self, column: str, method: str | None, is_reference: bool
    ) -> Iterator[str]:
        index = self._own_indexes.get(column)
        assumed = is_reference or method is not None
        if index is None:
            if assumed:
                yield "index=False"
            return
        if index.unique:
            yield "unique=True"
        elif not assumed:
            yield "index=True"
        if index.method != (method or "btree"):
            yield f"index_type={source(index.method.upper())}"

    def _clauses(self, column: Column, head: str) -> Iterator[SourcePart]:
        """Yield the clauses of *column* besides its type: defaults, identity, collation."""
        imports = self._context.imports
        texts: list[SourcePart] = []
        if column.default is not None:
            texts.append(_sql(imports, f"DEFAULT {_default(column.default)}"))
        if column.identity and head != "IdentityField":
            texts.append(_sql(imports, f"GENERATED {column.identity.upper()} AS IDENTITY"))
        if column.generated is not None:
            texts.append(_sql(imports, f"GENERATED ALWAYS AS ({column.generated}) STORED"))
        texts += self._checks[column.name]
        if texts:
            yield Bracketed("constraints=[", tuple(texts))
        if column.collation:
            yield f"collation={source(column.collation)}"
        if column.comment:
            yield f"help_text={source(column.comment)}"

    def _meta(self) -> Iterator[str]:
        """Yield the lines of Meta."""
        facts, space = self._facts, " " * 8
        yield f"{space}table_name = {source(facts.bare)}"
        if schema := schema_of(self._table.name):
            yield f"{space}schema = {source(schema)}"
        if len(facts.key_columns) > 1:
            names = tuple(source(facts.fields[name]) for name in facts.key_columns)
            head = f"primary_key = {self._context.imports.use('CompositeKey')}("
            yield from lay_out(Bracketed(head, names), 8)
        elif not facts.key_columns:
            yield f"{space}primary_key = False"
        if self._meta_constraints:
            yield from lay_out(Bracketed("constraints = [", tuple(self._meta_constraints)), 8)
        if self._meta_indexes:
            yield from lay_out(Bracketed("indexes = [", tuple(self._meta_indexes)), 8)
        # What peewee cannot see: it makes tables in the order of its own foreign keys.
        known = {key.target for key in facts.references.values()} | {self._table.name}
        targets = {key.target for key in self._table.foreign_keys} - known
        if above := sorted(targets & self._context.written):
            models = tuple(self._context.name(name) for name in above)
            yield from lay_out(Bracketed("depends_on = [", models), 8)
        if self._table.storage:
            settings = tuple(map(QuotedText, self._table.storage))
            yield from lay_out(Bracketed("table_settings = [", settings), 8)
        if self._table.comment:
            yield f"{space}comment = {source(self._table.comment)}"


def _constraint_source(
    imports: SourceImports, constraint: Constraint | ForeignKey, named: bool
) -> SourcePart:
    """Return *constraint* as a node of peewee, with its name where it has one of its own."""
    definition = define(constraint)
    scanner = Scanner(definition)
    if scanner.accept("check"):
        expression = scanner.enclosed()
        if scanner.done:
            name = (f"name={source(constraint.name)}",) if named else ()
            return Bracketed(f"{imports.use('Check')}(", (QuotedText(_doubled(expression)), *name))
    return _sql(imports, constraint_definition(constraint) if named else definition)


def _reads_as(statement: str, index: Index) -> bool:
    try:
        return read_index(statement).index == index
    except Unreadable:
        return False


def _sql(imports: SourceImports, text: str) -> SourcePart:
    return Bracketed(f"{imports.use('SQL')}(", (QuotedText(_doubled(text)),))


def _doubled(text: str) -> str:
    return text.replace("%", "%%")  # psycopg puts parameters into every statement of peewee's


def _default(text: str) -> str:
    """Return the default *text*, in parentheses where CREATE TABLE wants them."""
    found = {word.lower() for kind, word in words(text) if kind == "name"}
    return f"({text})" if found & _LOGIC else text


def _comment(remark: str) -> list[str]:
    return [f"# {line}" for line in textwrap.wrap(" ".join(remark.split()), WIDTH - 2)]

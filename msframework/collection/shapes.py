"""The schemas of a collection's bodies and answers, each a variant of those that its class names.

Runs at start-up.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import peewee
from marshmallow import Schema, fields, missing, types, validate

from msframework.codec.known import DUMPS, overrides
from msframework.schemas.naming import wire_name
from msframework.types import Field, SchemaSource


@dataclass(frozen=True, slots=True)
class Shapes:
    """The schemas of a collection.

    Attributes:
        detail: the answer of read, replace and patch.
        rows: the answer of list.
        created: the answer of create.
        create: the body of create.
        write: the body of replace and patch.
        details: the answer of bulk actions.
        bulk_create: the body of a bulk create.
        bulk_patch: the body of a bulk patch: the key of each row, and its changes.
        bulk_delete: the query of a bulk delete: the keys of the rows.
    """

    detail: Schema
    rows: Schema
    created: SchemaSource
    create: Schema
    write: Schema
    details: Schema | None = None
    bulk_create: Schema | None = None
    bulk_patch: Schema | None = None
    bulk_delete: Schema | None = None

    def body_of(self, action: str) -> Schema | None:
        """Return the schema of the body of *action*; `None` where it has none."""
        bodies = {
            "create": self.create,
            "replace": self.write,
            "patch": self.write,
            "bulk_create": self.bulk_create,
            "bulk_patch": self.bulk_patch,
        }
        return bodies.get(action)


def read_shapes(
    cls: Any,
    model: type[peewee.Model],
    parents: Sequence[peewee.Field],
    keys: Sequence[peewee.Field],
    actions: Set[str],
) -> Shapes:
    """Return the schemas of the ModelResource class *cls*.

    Args:
        parents: the columns that its path binds, which no body has.
        keys: the columns of the primary key, which no body changes.
        actions: the names of its actions.
    """
    detail, create = vary(cls.schema), vary(cls.create_schema or cls.schema)
    outer = set(loads_column(create, model, parents))
    fixed = set(loads_column(detail, model, [*parents, *keys]))
    bulk = any(name.startswith("bulk_") for name in actions)
    most, bulk_create, bulk_patch, bulk_delete = cls.bulk_size, None, None, None
    if "bulk_create" in actions:
        bulk_create = bounded(vary(create, many=True, without=outer), most)
    if "bulk_patch" in actions:
        bulk_patch = bounded(vary_for_bulk(detail, model, parents, keys), most)
    if "bulk_delete" in actions:
        bulk_delete = read_bulk_query(detail, model, parents, keys, most)
    return Shapes(
        detail=detail,
        rows=vary(cls.list_schema or cls.schema, many=True),
        created=detail if cls.created_schema is None else cls.created_schema,
        create=vary(create, without=outer) if outer else create,
        write=vary(detail, without=fixed) if fixed else detail,
        details=vary(detail, many=True) if bulk else None,
        bulk_create=bulk_create,
        bulk_patch=bulk_patch,
        bulk_delete=bulk_delete,
    )


def is_schema(thing: object) -> bool:
    """Tell whether *thing* is a schema, or the class of one."""
    return isinstance(thing, Schema) or (isinstance(thing, type) and issubclass(thing, Schema))


def bounded(schema: Schema, most: int) -> Schema:
    """Let the document say that a list of *schema* has no more than *most* members."""
    schema.max_items = most  # type: ignore[attr-defined]
    return schema


def read_bulk_query(
    schema: Schema,
    model: type[peewee.Model],
    parents: Sequence[peewee.Field],
    keys: Sequence[peewee.Field],
    most: int,
) -> Schema:
    """Return the schema of a query that names rows by their key, of one column."""
    key = next(key for key in keys if not is_one_of(key, parents))
    name = next(
        name for name, field in schema.fields.items() if column_of(model, field, name) is key
    )
    field = _required(type(schema)._declared_fields[name])
    many = fields.List(
        field, required=True, validate=validate.Length(1, most), data_key=field.data_key
    )
    return Schema.from_dict({name: many}, name=f"{type(schema).__name__}Keys")()


def vary(
    schema: type[Schema] | Schema,
    *,
    many: bool = False,
    without: Set[str] = frozenset(),
    partial: types.StrSequenceOrSet | None = None,
) -> Schema:
    """Return a new instance of *schema* with these options.

    Args:
        many: whether it loads and dumps lists.
        without: fields that it does not load.
        partial: fields that may be left out when it loads.
    """
    if isinstance(schema, type):
        return (
            schema(many=many, partial=partial)
            if not without
            else vary(schema(), many=many, without=without, partial=partial)
        )
    hidden = {name for name in without if schema.fields[name].load_only}
    options: dict[str, Any] = {
        "only": schema.only,
        "exclude": set(schema.exclude) | hidden,
        "load_only": set(schema.load_only),
        "dump_only": set(schema.dump_only) | (without - hidden),
        "partial": schema.partial if partial is None else partial,
        "unknown": schema.unknown,
    }
    return type(schema)(many=many, **options)


def rename(
    schema: Schema,
    suffix: str,
    further: Mapping[str, object] = MappingProxyType({}),
    *,
    partial: bool | None = None,
) -> Schema:
    """Return an instance of a class derived from that of *schema*, with *suffix* in its name.

    Args:
        further: further fields.
        partial: whether any field may be left out.
    """
    own, members = type(schema), dict(further)
    meta = getattr(own, "Meta", object)
    options: dict[str, object] = {"register": False}
    named = getattr(meta, "fields", ())
    if named and isinstance(named, tuple | list):
        options["fields"] = (*named, *members)
    only = None if schema.only is None else {*schema.only, *members}
    members["Meta"] = type("Meta", (meta,), options)
    metaclass: Any = type(own)
    made = metaclass(f"{own.__name__.removesuffix('Schema')}{suffix}Schema", (own,), members)
    found: Schema = made(
        only=only,
        exclude=schema.exclude,
        load_only=schema.load_only,
        dump_only=schema.dump_only,
        unknown=schema.unknown,
        many=schema.many,
        partial=schema.partial if partial is None else partial,
    )
    return found


def vary_for_bulk(
    schema: Schema,
    model: type[peewee.Model],
    parents: Sequence[peewee.Field],
    keys: Sequence[peewee.Field],
) -> Schema:
    """Return *schema* for a list of changes: it requires the key of each row, and nothing else."""
    own = type(schema)
    wanted = [key for key in keys if not is_one_of(key, parents)]
    names = [
        name
        for name, field in schema.fields.items()
        if is_one_of(column_of(model, field, name), wanted)
    ]
    members: dict[str, object] = {name: _required(own._declared_fields[name]) for name in names}
    dump_only = tuple(name for name in own.opts.dump_only if name not in names)
    meta = getattr(own, "Meta", object)
    members["Meta"] = type("Meta", (meta,), {"register": False, "dump_only": dump_only})
    metaclass: Any = type(own)
    made = metaclass(f"{own.__name__.removesuffix('Schema')}BulkSchema", (own,), members)
    left = made(only=schema.only, exclude=schema.exclude, unknown=schema.unknown)
    bound = set(loads_column(left, model, parents))
    return vary(left, many=True, without=bound, partial=set(left.load_fields) - set(names))


def _required(field: Field) -> Field:
    """Return a copy of *field* that must be loaded."""
    made = copy.deepcopy(field)
    made.dump_only, made.required, made.load_default = False, True, missing
    return made


def column_of(model: type[peewee.Model], field: Field, name: str) -> peewee.Field | None:
    """Return the column that a field of a schema reads or writes; `None` for others."""
    found: peewee.Field | None = model._meta.combined.get(field.attribute or name)
    return found


def members_of(model: type[peewee.Model], body: Schema) -> Iterator[tuple[str, str]]:
    """Yield the columns that *body* loads, by name, each with the member that it is read from."""
    for name, field in body.load_fields.items():
        column = column_of(model, field, name)
        if column is not None:
            yield column.column_name, wire_name(field, name)


def foreign_key(field: peewee.ForeignKeyField) -> str:
    """Return PostgreSQL's name of the constraint of a foreign key."""
    return f"{field.model._meta.table_name}_{field.column_name}_fkey"


def is_one_of(field: peewee.Field | None, fields: Iterable[peewee.Field | None]) -> bool:
    """Tell whether *field* is one of *fields*; their `==` makes an expression."""
    return any(field is each for each in fields)


def loads_column(
    schema: Schema, model: type[peewee.Model], columns: Iterable[peewee.Field]
) -> Iterator[str]:
    """Yield the names of the fields of *schema* that load one of *columns*."""
    chosen = tuple(columns)
    for name, field in schema.load_fields.items():
        if is_one_of(column_of(model, field, name), chosen):
            yield name


def read_columns(
    model: type[peewee.Model], schema: Schema, always: Iterable[peewee.Field]
) -> tuple[peewee.Node, ...]:
    """Return the columns that *schema* dumps, in the model's order, and those of *always*.

    All columns, where the schema dumps something that is no column.
    """
    columns = tuple(model._meta.sorted_fields)
    chosen = {column.column_name for column in always}
    aliases = []
    if overrides(schema, "get_attribute", *DUMPS) or schema._hooks.get("pre_dump"):
        return columns
    for name, field in schema.dump_fields.items():
        key = field.attribute or name
        column = column_of(model, field, name)
        if column is None or isinstance(field, fields.Method | fields.Function):
            return columns
        if key == column.column_name:
            chosen.add(key)
        elif isinstance(column, peewee.ForeignKeyField):
            return columns  # the related object, under the name of the key
        else:
            aliases.append(column.alias(key))
    return (*(each for each in columns if each.column_name in chosen), *aliases)

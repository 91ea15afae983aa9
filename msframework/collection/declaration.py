"""Reads a `ModelResource` class and the paths of its mount into one frozen value.

Runs at start-up; all mistakes are collected.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import peewee

from msframework.collection.action import ACTIONS, ActionPlace, CollectionAction
from msframework.collection.attributes import (
    are_actions,
    are_unique,
    find_ambiguous_lookup,
    find_wrong_attributes,
)
from msframework.collection.bodies import find_wrong_bodies, find_wrong_schemas
from msframework.collection.expansion import related_rows
from msframework.collection.model_resource import ModelResource
from msframework.collection.names import BULK_LOCALS, LOCALS, find_wrong_names, own_names
from msframework.collection.noun import Noun, read_noun
from msframework.collection.reading import AnswerReading, find_wrong_readings, read_reading
from msframework.collection.seam import Seam, read_seams
from msframework.collection.shapes import Shapes, column_of, is_one_of, is_schema, read_shapes, vary
from msframework.filters import FilterReader
from msframework.filters.scope import model_of_rows
from msframework.models.key import primary_fields
from msframework.operation import path_params
from msframework.problem import Problem


@dataclass(frozen=True, slots=True)
class Paths:
    """The paths of a collection, without its blueprint's prefix, and that prefix.

    `item` is empty where a row has no path.
    """

    prefix: str
    list: str
    item: str
    bulk: str

    def of(self, place: ActionPlace) -> str:
        """Return the path of a place, below the prefix."""
        return {
            ActionPlace.LIST: self.list,
            ActionPlace.ITEM: self.item,
            ActionPlace.BULK: self.bulk,
        }[place]


@dataclass(frozen=True, slots=True)
class Bound:
    """A parameter of a path, and the field whose value it is."""

    name: str
    field: peewee.Field


@dataclass(frozen=True, slots=True)
class Collection:
    """A `ModelResource` as it is mounted once.

    Attributes:
        where: the place of its declaration, for messages.
        actions: those that it has, in the order of their paths.
        overridden: the actions that methods of its own take the place of.
        parents: the fields that the list's path binds.
        lookup: the fields that the rest of the item's path binds.
        filters: what reads the filters, the order and the search of a list, if it has any.
        row_reading: what callers may ask of the rows of a list, if anything.
        detail_reading: the same of one row.
    """

    cls: type[ModelResource]
    where: str
    paths: Paths
    model: type[peewee.Model]
    noun: Noun
    actions: tuple[CollectionAction, ...]
    overridden: frozenset[str]
    parents: tuple[Bound, ...]
    lookup: tuple[Bound, ...]
    shapes: Shapes
    seams: Mapping[str, Seam]
    filters: FilterReader | None
    row_reading: AnswerReading | None = None
    detail_reading: AnswerReading | None = None

    @property
    def finds_one(self) -> bool:
        """Whether the path of a row has a unique key, without what its scope says."""
        return are_unique(self.model, [each.field for each in self.parents + self.lookup])

    @property
    def table(self) -> str:
        """The name of its table."""
        return str(self.model._meta.table_name)

    def params(self, action: CollectionAction) -> tuple[str, ...]:
        """Return the names of the path parameters of an action."""
        return tuple(each.name for each in self.bounds(action))

    def bounds(self, action: CollectionAction) -> tuple[Bound, ...]:
        """Return the fields that the path of an action binds."""
        return self.parents + (self.lookup if action.place is ActionPlace.ITEM else ())


def read_collection(
    cls: type[ModelResource], paths: Paths, where: str, problems: list[str]
) -> Collection | None:
    """Return *cls* as it is mounted at *paths*; `None` after mistakes, appended to *problems*."""
    reader = _Reader(cls, paths, where)
    found = reader.read()
    problems += reader.problems
    return None if reader.problems else found


class _Reader:
    """Reads one class; its mistakes are collected in `problems`."""

    def __init__(self, cls: type[ModelResource], paths: Paths, where: str) -> None:
        self.cls, self.paths = cls, paths
        self.where = f"{where} {cls.__name__}"
        self.problems: list[str] = []

    def read(self) -> Collection | None:
        self.problems += find_wrong_names(self.where, self.cls)
        seams = read_seams(self.cls, self.problems)
        actions = self._read_actions()
        model = self._read_model()
        if model is None:
            return None
        parents, lookup = self._read_parents(model), self._read_lookup(model)
        self._check_bulk(model, parents, actions)
        own = [each for each in actions if not self._overrides(each.name)]
        self.problems += find_wrong_bodies(self.where, self.cls, model, own, seams)
        if self.problems:
            return None
        bound, names = [each.field for each in parents], {each.name for each in actions}
        shapes = read_shapes(self.cls, model, bound, primary_fields(model), names)
        self.problems += find_wrong_readings(self.where, self.cls, model, shapes)
        if self.problems:
            return None
        row_reading = read_reading(self.cls, shapes.rows, model)
        return Collection(
            cls=self.cls,
            where=self.where,
            paths=self.paths,
            model=model,
            noun=read_noun(model.__name__, self.cls.noun, self.cls.nouns),
            actions=actions,
            overridden=frozenset(name for name in ACTIONS if self._overrides(name)),
            parents=parents,
            lookup=lookup,
            shapes=shapes,
            seams=MappingProxyType(seams),
            filters=self._read_filters(model, row_reading),
            row_reading=row_reading,
            detail_reading=read_reading(self.cls, shapes.detail, model),
        )

    def _say(self, found: str, expected: str = "", advice: str = "") -> None:
        self.problems.append(Problem(self.where, found, expected, advice))

    def _overrides(self, action: str) -> bool:
        return getattr(self.cls, action) is not getattr(ModelResource, action)

    def _read_actions(self) -> tuple[CollectionAction, ...]:
        named = self.cls.actions
        if not are_actions(named):
            return ()
        actions = [action for name, action in ACTIONS.items() if name in named]
        if not self.paths.item:
            items = [each.name for each in actions if each.place is ActionPlace.ITEM]
            if items and "actions" in dict(own_names(self.cls)):
                advice = 'Add item="/<id:int>" or the like to @blueprint.collection(…).'
                self._say(f"its actions {', '.join(items)} have no path", advice=advice)
            actions = [each for each in actions if each.place is not ActionPlace.ITEM]
        for name, method in own_names(self.cls):
            if name in ACTIONS and inspect.isfunction(method) and ACTIONS[name] not in actions:
                found = f"nothing calls its method {name!r}, as it is none of its actions"
                self._say(found, advice=f"Add {name!r} to actions, or drop the method.")
        if not actions and not self.problems:
            self._say("it has no actions", advice="Name one at least.")
        return tuple(actions)

    def _read_model(self) -> type[peewee.Model] | None:
        """Return the model, `None` where it, the schemas or other attributes are wrong."""
        wrong = list(find_wrong_attributes(self.where, self.cls))
        self.problems += wrong
        given: dict[str, Any] = {
            name: getattr(self.cls, name, None)
            for name in ("schema", "list_schema", "create_schema")
        }
        is_wrong = bool(wrong)
        for name, value in given.items():
            if not is_schema(value) and (value is not None or name == "schema"):
                advice = "Pass a class derived from ModelSchema." if name == "schema" else ""
                self._say(f"{name} is {value!r}", "a Schema", advice)
                is_wrong = True
        if is_wrong:
            return None
        model = model_of_rows(self.cls)
        if not (isinstance(model, type) and issubclass(model, peewee.Model)):
            found = f"neither it nor its schema names a model (model is {model!r})"
            self._say(found, advice="Derive the schema from ModelSchema, or write model = ….")
            return None
        self.problems += find_wrong_schemas(self.where, self.cls, given, model)
        if model._meta.primary_key is False:
            self._say(f"{model.__name__} has no primary key", "one that tells its rows apart")
        return model

    def _read_filters(
        self, model: type[peewee.Model], reading: AnswerReading | None
    ) -> FilterReader | None:
        cls = self.cls
        said = (cls.filters, cls.sort, cls.default_sort, cls.search, cls.filter_scopes, reading)
        if not any(said):
            return None
        return FilterReader(
            model,
            filters=cls.filters,
            sort=cls.sort,
            default_sort=cls.default_sort,
            search=cls.search,
            schema=cls.schema,
            fields={} if reading is None else reading.wires,
            expand=() if reading is None else reading.paths,
            filter_scopes=cls.filter_scopes,
            related=related_rows(cls.expand),
            label=cls.__qualname__,
        )

    def _field(self, model: type[peewee.Model], name: object) -> peewee.Field | None:
        """Return the field that *name* means: a field of the model, its name or its column's."""
        if isinstance(name, peewee.Field):
            return name if name.model is model else None
        found: peewee.Field | None = model._meta.combined.get(name)
        return found

    def _read_parents(self, model: type[peewee.Model]) -> tuple[Bound, ...]:
        said: Any = self.cls.parent
        params = [each.name for each in path_params(self.paths.prefix + self.paths.list)]
        for name in said:
            if name not in params:
                found = f"parent names {name!r}, which the path {self.paths.list} does not have"
                self._say(found, advice=f"Put <{name}> into the path, or drop it from parent.")
        self._check_params(params, LOCALS | BULK_LOCALS)
        bound: list[Bound] = []
        for name in params:
            field = self._field(model, said.get(name, name))
            other = next((each.name for each in bound if each.field is field), None)
            if field is not None and other is not None:
                found = f"<{other}> and <{name}> of its path bind the same field, {field.name}"
                self._say(found, advice="Drop one of them, or name another field in parent.")
            elif field is not None:
                bound.append(Bound(name, field))
            elif said.get(name, name) is not None:
                self._say(
                    f"<{name}> of its path binds no field of {model.__name__}",
                    advice=f'Write parent = {{"{name}": {model.__name__}.…}}, or None in the place '
                    "of the field where scope binds the rows.",
                )
            elif self.cls.scope is ModelResource.scope:
                found = f"parent lets <{name}> bind no field, and no scope binds the rows"
                self._say(found, advice="Write a scope that takes it, or what is provided for it.")
        return tuple(bound)

    def _check_bulk(
        self,
        model: type[peewee.Model],
        parents: Iterable[Bound],
        actions: Iterable[CollectionAction],
    ) -> None:
        """Refuse bulk actions whose rows cannot be named."""
        names = {each.name for each in actions} & {"bulk_patch", "bulk_delete"}
        if not names or self.problems:
            return
        outer = [each.field for each in parents]
        keys = [key for key in primary_fields(model) if not is_one_of(key, outer)]
        schema = vary(self.cls.schema)
        shown = [column_of(model, field, name) for name, field in schema.fields.items()]
        for key in keys:
            if not is_one_of(key, shown):
                found = f"its schema lacks {key.name}, by which bulk actions name rows"
                self._say(found, advice="Add it to Meta.fields.")
        if "bulk_delete" in names and len(keys) != 1:
            found = f"bulk_delete needs a key of one column, and {model.__name__} has {len(keys)}"
            self._say(found, advice="Leave it out of actions.")

    def _read_lookup(self, model: type[peewee.Model]) -> tuple[Bound, ...]:
        """Return the parameters of the item's path with their fields; of bulk alone, the key."""
        said: Any = self.cls.lookup
        names = [said] if isinstance(said, str) else said
        keys = [each.name for each in primary_fields(model)] if names is None else list(names)
        fields = [self._field(model, name) for name in keys]
        for name, field in zip(keys, fields, strict=True):
            if field is None:
                self._say(f"lookup names {name!r}, which {model.__name__} does not have")
        if self.problems:
            return ()
        found = [field for field in fields if field is not None]
        if not self.paths.item:
            return tuple(Bound(field.name, field) for field in found)
        outer = [each.name for each in path_params(self.paths.prefix + self.paths.list)]
        inner = [each.name for each in path_params(self.paths.prefix + self.paths.item)]
        missing = [name for name in outer if name not in inner]
        if missing:
            self._say(f"its item's path lacks <{missing[0]}>, which its list's path has")
        params = [name for name in inner if name not in outer]
        self._check_params(params, LOCALS)
        parents = [self._field(model, self.cls.parent.get(name, name)) for name in outer]
        bound = [field for field in (*parents, *found) if field is not None]
        scoped = self.cls.scope is not ModelResource.scope
        self.problems += find_ambiguous_lookup(self.where, model, bound, scoped=scoped)
        found = [field for field in found if not is_one_of(field, parents)]
        return self._match(model, params, found)

    def _check_params(self, params: Iterable[str], taken: frozenset[str]) -> None:
        for name in params:
            if name in taken:
                found = f"its path has the parameter <{name}>, which its methods use otherwise"
                self._say(found, advice="Rename it.")

    def _match(
        self, model: type[peewee.Model], params: Sequence[str], fields: Sequence[peewee.Field]
    ) -> tuple[Bound, ...]:
        if len(params) != len(fields):
            names = ", ".join(field.name for field in fields) or "nothing that is left"
            shown = f"the parameters {', '.join(params)}" if params else "no parameter"
            self._say(
                f"the path {self.paths.item} has {shown} of its own, and a row is looked up by "
                f"{names}",
                "one for each field",
                "Correct the path, or write lookup = ….",
            )
            return ()
        if len(fields) == 1:
            return (Bound(params[0], fields[0]),)
        named: dict[str, peewee.Field] = {}
        for name in params:
            field = self._field(model, name)
            if is_one_of(field, named.values()) or field is None:
                continue
            if is_one_of(field, fields):
                named[name] = field
        left = (field for field in fields if not is_one_of(field, named.values()))
        return tuple(Bound(name, named[name] if name in named else next(left)) for name in params)

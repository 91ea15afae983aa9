"""`FilterSet`: the filters, the orders and the search of a listing, as a class declares them.

Read at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import ClassVar

import peewee
from marshmallow import Schema

from msframework.filters.reader import FilterReader
from msframework.filters.scope import RowScopes


class FilterSet:
    """Declares what callers may filter, sort and search by; `@doc.filter` reads it.

        class UserFilters(FilterSet):
            model = User
            filters = {"name": ("eq", "icontains"), "create_time": ("gte", "lt")}
            sort = ("id", "name", "-create_time")
            search = ("name", "description")

    Attributes:
        model: the model whose rows are listed.
        schema: the schema that describes a row, whose fields read the values; the model's own
            without one.
        filters: the operators that are allowed, by the names of columns; those behind foreign keys
            with dots between: `owner.city.name`.
        sort: the names that rows may be sorted by; `-` says that one falls in the usual order.
        default_sort: the usual order; the first of `sort` where nothing is said, else the primary
            key.
        search: the columns of text in which `?q=` looks for words.
        filter_scopes: whose rows filters and search may look at behind foreign keys, by path
            (`owner`, `owner.city`): a ModelResource class, a function of request and principal
            that returns a condition, or `None` for all rows. It must be said where a collection of
            the model has a scope.
    """

    model: ClassVar[type[peewee.Model]]
    schema: ClassVar[type[Schema] | Schema | None] = None
    filters: ClassVar[Mapping[str, Collection[str]]] = {}
    sort: ClassVar[Sequence[str]] = ()
    default_sort: ClassVar[Sequence[str]] = ()
    search: ClassVar[Sequence[str]] = ()
    filter_scopes: ClassVar[RowScopes] = {}

    @classmethod
    def reader(
        cls,
        schema: type[Schema] | Schema | None = None,
        *,
        fields: Collection[str] = (),
        expand: Collection[str] = (),
        max_depth: int = 3,
    ) -> FilterReader:
        """Return what reads the query of a request.

        Args:
            schema: the schema that describes a row; that of the class without one.
            fields: the names of the schema's fields that `?fields=` may choose.
            expand: the paths that `?expand=` may name.
            max_depth: how many steps such a path may have.
        """
        return FilterReader(
            getattr(cls, "model", None),
            filters=cls.filters,
            sort=cls.sort,
            default_sort=cls.default_sort,
            search=cls.search,
            schema=cls.schema if schema is None else schema,
            fields=fields,
            expand=expand,
            max_depth=max_depth,
            filter_scopes=cls.filter_scopes,
            label=cls.__qualname__,
        )


def read_filters(thing: object) -> FilterReader:
    """Return what reads the filters that *thing* declares.

    Raises:
        TypeError: it is neither a `FilterSet` nor what such a class gives.
    """
    if isinstance(thing, FilterReader):
        return thing
    if isinstance(thing, type) and issubclass(thing, FilterSet):
        return thing.reader()
    raise TypeError(
        f"@doc.filter got {thing!r:.100}, which declares no filters. Pass a subclass of FilterSet, "
        "or the result of its reader()."
    )

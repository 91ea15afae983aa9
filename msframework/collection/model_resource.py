"""`ModelResource`: the class that a service writes for the rows of a model and their actions.

`Blueprint.collection` reads it at start-up; its methods run per request.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar

import peewee
from marshmallow import Schema

from msframework.collection.action import USUAL_ACTIONS, Usual
from msframework.collection.expansion import Expansion
from msframework.db.transaction import Transaction
from msframework.exceptions import ServiceException
from msframework.filters.scope import RowScopes, model_of_rows
from msframework.operation import Paging
from msframework.pagination import Pages
from msframework.principal import Principal
from msframework.resource import Resource
from msframework.schemas.model import AllFields
from msframework.serving.request import Request
from msframework.types import Query, Row, SchemaSource


class ModelResource(Resource):
    """The rows of a model: listed, created, read, replaced, changed and deleted.

    Mount it with `@blueprint.collection("/", item="/<id:int>")`. An action is replaced by a method
    of its name, which takes by name what the generated one takes; `await super().create(request,
    body=body, tx=tx)` runs the generated one. The seams take by name, beside their own arguments,
    what any method does: path parameters, `principal`, `tx`, provided values.

    Attributes:
        schema: the body of create, replace and patch, and the answer to all but list.
        model: the model; by default that of the schema, which methods find here.
        list_schema: the rows of a list, where they differ.
        create_schema: the body of create, where it differs.
        created_schema: the answer to create, where it differs.
        actions: the actions that it has.
        lookup: the field of the item's path parameter, or several; the primary key by default.
        parent: the fields that parameters of the list's path bind, by parameter; found by
            themselves where a parameter is called as a field or its column. `None` binds no field:
            `scope` then decides which rows the parameter stands for.
        filters: the operators that a list may be filtered by, by the names of columns; those behind
            foreign keys with dots between: `author.city.name`.
        sort: the names that a list may be sorted by, as `FilterSet` has them.
        default_sort: the usual order of a list.
        search: the columns of text in which `?q=` looks for words.
        filter_scopes: whose rows filters and search may look at behind foreign keys, by path, as
            `FilterSet` has them; where nothing is said, the scope of `expand` counts.
        fields: the fields that `?fields=` may choose from in a list and a row, or ALL.
        expand: the related objects that `?expand=` may ask for in a list and a row, or that are
            always in it: a schema or an `Expansion` by the name of a foreign key, a backref or a
            many-to-many field (`author`), or by several with dots between (`author.city`); a
            `Remote` by any name.
        paging: how a list is cut into pages.
        raises: the exceptions that violated constraints raise, by constraint.
        bulk_size: how many rows a bulk action takes at most.
        noun: what a row is called in texts; from the model's name by default.
        nouns: the plural of it.
    """

    schema: ClassVar[type[Schema] | Schema]
    model: type[peewee.Model] | None = None
    list_schema: ClassVar[type[Schema] | Schema | None] = None
    create_schema: ClassVar[type[Schema] | Schema | None] = None
    created_schema: ClassVar[SchemaSource | None] = None
    actions: ClassVar[Sequence[str]] = USUAL_ACTIONS
    lookup: ClassVar[str | Sequence[str] | None] = None
    parent: ClassVar[Mapping[str, peewee.Field | str | None]] = {}
    filters: ClassVar[Mapping[str, Collection[str]]] = {}
    sort: ClassVar[Sequence[str]] = ()
    default_sort: ClassVar[Sequence[str]] = ()
    search: ClassVar[Sequence[str]] = ()
    filter_scopes: ClassVar[RowScopes] = {}
    fields: ClassVar[Sequence[str] | AllFields] = ()
    expand: ClassVar[Mapping[str, type[Schema] | Schema | Expansion]] = {}
    paging: ClassVar[Paging] = Pages()
    raises: ClassVar[Mapping[str, type[ServiceException]]] = {}
    bulk_size: ClassVar[int] = 100
    noun: ClassVar[str] = ""
    nouns: ClassVar[str] = ""
    mounted_by: ClassVar[str] = "collection"

    usual: Usual

    def __init__(self) -> None:
        self.model = model_of_rows(self)

    # Seams.

    def scope(self, request: Request, principal: Principal | None) -> object:
        """Return the expression of the rows that the caller may see and change; `None` for all."""
        return None

    def query(self, request: Request, query: Query) -> Query:
        """Return the select of list and read, changed."""
        return query

    async def before_create(
        self, request: Request, values: MutableMapping[str, object], tx: Transaction
    ) -> None:
        """Change or refuse the *values* of a new row."""

    async def after_create(self, request: Request, row: Row, tx: Transaction) -> None:
        """Follow an INSERT, in its transaction."""

    async def before_update(
        self, request: Request, key: object, values: MutableMapping[str, object], tx: Transaction
    ) -> None:
        """Change or refuse the new *values* of a row; taking `row` reads and locks that first."""

    async def after_update(self, request: Request, row: Row, tx: Transaction) -> None:
        """Follow an UPDATE, in its transaction; *row* is the new one."""

    async def before_delete(self, request: Request, key: object, tx: Transaction) -> None:
        """Refuse a DELETE; taking `row` reads and locks that first."""

    async def after_delete(self, request: Request, row: Row, tx: Transaction) -> None:
        """Follow a DELETE, in its transaction; *row* is the one that was there."""

    async def after_commit(self, request: Request, action: str, row: Row) -> None:
        """Follow the COMMIT of each row that was written; a failure is logged."""

    # The generated actions, for the methods that replace them.

    def list(self, request: Request, *args: Any, **given: Any) -> Any:
        """Return a page of the rows."""
        return self.usual.run("list", request, args, given)

    def create(self, request: Request, *args: Any, **given: Any) -> Any:
        """Insert a row, and return it with its address."""
        return self.usual.run("create", request, args, given)

    def read(self, request: Request, *args: Any, **given: Any) -> Any:
        """Return one row."""
        return self.usual.run("read", request, args, given)

    def replace(self, request: Request, *args: Any, **given: Any) -> Any:
        """Write all columns of a row, and return it."""
        return self.usual.run("replace", request, args, given)

    def patch(self, request: Request, *args: Any, **given: Any) -> Any:
        """Write some columns of a row, and return it."""
        return self.usual.run("patch", request, args, given)

    def delete(self, request: Request, *args: Any, **given: Any) -> Any:
        """Delete a row."""
        return self.usual.run("delete", request, args, given)

    def bulk_create(self, request: Request, *args: Any, **given: Any) -> Any:
        """Insert several rows, and return them."""
        return self.usual.run("bulk_create", request, args, given)

    def bulk_patch(self, request: Request, *args: Any, **given: Any) -> Any:
        """Write some columns of several rows, and return them."""
        return self.usual.run("bulk_patch", request, args, given)

    def bulk_delete(self, request: Request, *args: Any, **given: Any) -> Any:
        """Delete several rows."""
        return self.usual.run("bulk_delete", request, args, given)

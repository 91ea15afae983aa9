"""`ActionSource`: the source of one action while it is written, its names and its parameters.

Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import partial

from msframework._codegen import SourceWriter, compile_function
from msframework.collection.action import ActionPlace, CollectionAction, Generated
from msframework.collection.declaration import Bound, Collection
from msframework.collection.names import ASSIGNED, BULK_ASSIGNED
from msframework.collection.path_value import read_path_values
from msframework.collection.row_address import quote_key, read_row_keys
from msframework.collection.statements import missing_row, only_row
from msframework.filters.scope import read_condition
from msframework.models.key import primary_fields
from msframework.operation import path_template
from msframework.problem import Problem
from msframework.types import Handler


class ActionSource(SourceWriter):
    """The source of one action while it is written.

    Attributes:
        namespace: the names that it reaches.
        parameters: what its method takes behind the request, in order.
        path_values: the parameters of its path that are read before they are used.
    """

    __slots__ = ("action", "bounds", "collection", "namespace", "parameters", "path_values")

    def __init__(
        self, collection: Collection, action: CollectionAction, inputs: Sequence[str]
    ) -> None:
        super().__init__()
        self.collection, self.action = collection, action
        self.bounds: tuple[Bound, ...] = collection.bounds(action)
        self.namespace: dict[str, object] = {"missing_row": missing_row}
        self.parameters = [each.name for each in self.bounds]
        self.path_values = read_path_values(
            collection, self.bounds, creates=action.name in ("create", "bulk_create")
        )
        for name, value in self.path_values.items():
            self.line(f"{name} = {self.bind(f'READ_{name}', value.read)}({name})")
        for name in (*inputs, "tx" if action.writes else "cur"):
            self.take(name)

    def take(self, name: str) -> None:
        """Let the method take *name*."""
        if name not in self.parameters:
            self.parameters.append(name)

    def bind(self, name: str, value: object) -> str:
        """Put *value* within reach as *name*, and return that."""
        self.namespace[name] = value
        return name

    def has(self, *seams: str) -> bool:
        """Tell whether the collection has one of these seams."""
        return not self.collection.seams.keys().isdisjoint(seams)

    def wants(self, seam: str, parameter: str) -> bool:
        """Tell whether the collection has this seam, and that takes *parameter*."""
        found = self.collection.seams.get(seam)
        return found is not None and parameter in found.parameters

    def seam(self, name: str, target: str = "", **local: str) -> None:
        """Write the call of a seam, where the collection has it; its result goes to *target*."""
        seam = self.collection.seams.get(name)
        if seam is not None:
            for parameter in seam.outer:
                self.take(parameter)
            call = seam.call(**local)
            if name == "scope":
                call = f"{self.bind('CONDITION', read_condition)}({call})"
            self.line(f"{target} = {call}" if target else call)

    def commit_seam(self) -> None:
        """Write the line that calls `after_commit` once the transaction is committed."""
        seam = self.collection.seams.get("after_commit")
        if seam is not None:
            for parameter in seam.outer:
                self.take(parameter)
            given = seam.arguments(action=repr(self.action.name))
            self.bind("PARTIAL", partial)
            self.line(f"tx.after_commit(PARTIAL(self.after_commit, {given}))")

    @property
    def key(self) -> str:
        """The expression of the key in the path: its value, or a tuple of several."""
        names = [each.name for each in self.collection.lookup]
        return names[0] if len(names) == 1 else f"({', '.join(names)})"

    def where(self, query: str, base: str = "") -> None:
        """Write the lines that bind *query*, made of *base*, to the path and to the scope."""
        terms = [f"{self.bind_field(each)} == {each.name}" for each in self.bounds]
        if terms:
            self.line(f"{query} = {base or query}.where({', '.join(terms)})")
        elif base:
            self.line(f"{query} = {base}")
        if self.has("scope"):
            self.lines("if scope is not None:", f"    {query} = {query}.where(scope)")

    def bind_field(self, bound: Bound) -> str:
        """Return the name of the field of *bound*."""
        return self.bind(f"FIELD_{bound.field.name}", bound.field)

    def fetch_row(self, cursor: str) -> None:
        """Write the lines that bind the row of `query`, or answer 404; 409 where it has several."""
        if self.collection.finds_one:
            self.line(f"row = await {cursor}.fetchrow(query)")
        else:
            self.bind("only_row", only_row)
            nouns = self.collection.noun.many
            self.line(f"row = only_row({nouns!r}, await {cursor}.fetch(query))")
        self.refuse_missing()

    def refuse_missing(self) -> None:
        """Write the lines that answer 404 where there is no row."""
        keys = ", ".join(each.name for each in self.collection.lookup)
        self.line("if row is None:")
        self.line(f"    raise missing_row({self.collection.noun.one!r}, {keys})")

    def check_keys(self, rows: str = "(row,)", *, many: bool = False) -> None:
        """Write the line that refuses written rows whose keys no path can have."""
        fixed = () if self.action.method == "POST" else primary_fields(self.collection.model)
        keys = read_row_keys(self.collection, fixed)
        if keys is not None:
            self.bind("ROW_KEYS", keys)
            self.line(f"ROW_KEYS.check({rows}{', many=True' if many else ''})")

    def set_parents(self, values: str) -> None:
        """Write the lines that put the path's own values into those of a row."""
        for each in self.collection.parents:
            self.line(f"{values}[{each.field.column_name!r}] = {each.name}")

    def location(self) -> str:
        """Return the expression of the address of `row`, relative to the origin."""
        collection = self.collection
        outer = [part for part in collection.paths.list.split("/") if part]
        inner = [part for part in collection.paths.item.split("/") if part]
        shared = 0
        while shared < min(len(outer), len(inner)) and outer[shared] == inner[shared]:
            shared += 1
        base = "request.path.rstrip('/')"
        if len(outer) > shared:
            base = f"{base}.rsplit('/', {len(outer) - shared})[0]"
        rest = path_template("/" + "/".join(inner[shared:]))
        values = {each.name: f"row[{each.field.column_name!r}]" for each in collection.lookup}
        values |= {each.name: each.name for each in collection.parents}
        every = (*collection.lookup, *collection.parents)
        for name, value in read_path_values(collection, every).items():
            values[name] = f"{self.bind(f'SHOW_{name}', value.show)}({values[name]})"
        self.bind("QUOTE", quote_key)
        parts = re.split("[{}]", rest)  # texts and names by turns
        shown = [
            f"QUOTE({values[part]})" if index % 2 else repr(part)
            for index, part in enumerate(parts)
        ]
        return " + ".join([base, *(each for each in shown if each != "''")])

    def find_clashes(self) -> Iterator[Problem]:
        """Yield a problem for each parameter that is called as a name which the source uses."""
        is_bulk = self.action.place is ActionPlace.BULK
        assigned = ASSIGNED | BULK_ASSIGNED if is_bulk else ASSIGNED
        for name in self.parameters:
            if name in self.namespace or name in assigned:
                found = f"its methods take {name!r}, a name that they use otherwise"
                advice = "Rename it, in the path or where it is provided."
                yield Problem(self.collection.where, found, advice=advice)

    def compile(self, name: str) -> tuple[Generated, str]:
        """Return the function, and its source."""
        given = "".join(f", {each}" for each in self.parameters)
        body = str(self).splitlines()
        source = f"async def {name}(self, request{given}):\n"
        source += "".join(f"    {line}\n" for line in body)
        function: Handler = compile_function(name, source, self.namespace)
        return Generated(function, tuple(self.parameters)), source

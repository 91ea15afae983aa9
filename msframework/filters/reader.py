"""`FilterReader`: a declaration of filters, as it is checked, documented and read.

Made at start-up; the function that `compile` returns runs per request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import cached_property, partial
from types import MappingProxyType
from typing import Any, ClassVar, Final

import peewee
from marshmallow import Schema, ValidationError

from msframework.filters.columns import ColumnKind, FilterColumn, suggest
from msframework.filters.crossing import CrossingReader, RelatedRows, find_needless_scopes
from msframework.filters.operators import OPERATORS, SEPARATOR, operator_of, operators_of
from msframework.filters.ordering import Sorting
from msframework.filters.parameter import (
    ConditionParameter,
    ExpandParameter,
    FieldsParameter,
    FilterParameter,
    SearchParameter,
    SortParameter,
    Wishes,
)
from msframework.filters.request import MOST_WORDS, Filters
from msframework.filters.scope import RowScopes
from msframework.filters.spanning import SpanningFilters
from msframework.problem import Problem
from msframework.schemas.lists import CommaList
from msframework.schemas.storable import why_not_storable
from msframework.types import JSONObject

_MOST_MISTAKES: Final = 100
_MOST_ASKED: Final = 5
_NONE: Final[Mapping[str, Any]] = MappingProxyType({})
NoteErrors = Callable[[dict[str, Any], dict[str, Any]], None]
LoadFilters = Callable[[Any, dict[str, Any]], Filters | None]


class FilterReader:
    """Reads filters, sort, search, fields and expand of a query.

    Args:
        model: the model whose rows are listed.
        filters: the operators that are allowed, by the names of columns.
        sort: the names that rows may be sorted by.
        default_sort: the usual order; the first of *sort* where nothing is said, else the primary
            key.
        search: the columns of text in which `?q=` looks for words.
        schema: the schema that describes a row, whose fields read the values.
        fields: the names of the schema's fields that `?fields=` may choose; none without. A mapping
            has them by what callers call them.
        expand: the paths that `?expand=` may name, such as `city` and `city.province`.
        max_depth: how many steps such a path may have.
        filter_scopes: whose rows filters may look at behind foreign keys, by path.
        related: what else is declared of those rows, by path.
        label: the name of the declaration, for problems.
    """

    decorator: ClassVar[str] = "@doc.filter"

    def __init__(
        self,
        model: type[peewee.Model] | None,
        *,
        filters: Mapping[str, Collection[str]] | None = None,
        sort: Sequence[str] = (),
        default_sort: Sequence[str] = (),
        search: Sequence[str] = (),
        schema: Schema | type[Schema] | None = None,
        fields: Collection[str] = (),
        expand: Collection[str] = (),
        max_depth: int = 3,
        filter_scopes: RowScopes = _NONE,
        related: Mapping[str, RelatedRows] = _NONE,
        label: str = "",
    ) -> None:
        self.model = model
        self.schema = schema() if isinstance(schema, type) else schema
        self.label = label or f"filters of {getattr(model, '__name__', model)}"
        self._filters: Any = {} if filters is None else filters
        self._sort, self._default_sort, self._search = sort, default_sort, search
        self._fields, self._expand, self._max_depth = fields, expand, max_depth
        self._filter_scopes, self._related = filter_scopes, related

    @cached_property
    def plan(self) -> FilterPlan:
        """The parameters, and the mistakes of the declaration."""
        return FilterPlan(self)

    def find_mistakes(self) -> Iterator[Problem]:
        """Yield the mistakes of the declaration."""
        yield from self.plan.problems

    @property
    def has_scope(self) -> bool:
        """Whether a scope limits the related rows that filters look at."""
        return any(each.scope is not None for each in self.plan.crossings.values())

    @property
    def asks_principal(self) -> bool:
        """Whether such a scope depends on the principal."""
        return any(each.asks_principal for each in self.plan.crossings.values())

    def find_secrets(self, sensitive: Collection[str]) -> Iterator[Problem]:
        """Yield where the declaration names columns whose values filters would tell.

        Args:
            sensitive: the names of columns that are not answered, as `SENSITIVE_FIELDS` has them.
        """
        advice = "Leave it out, or take it off SENSITIVE_FIELDS."
        told = "which SENSITIVE_FIELDS keeps out of answers, and the query would tell what it holds"
        named = [*self.plan.find_named(sensitive)]
        if self.schema is None and not isinstance(self._fields, Mapping):
            named += [("fields", name) for name in self._fields if name in sensitive]
        for place, name in named:
            yield Problem("", f"{self.label}.{place} names {name!r}, {told}", advice=advice)

    def document_parameters(self) -> Mapping[str, JSONObject]:
        """Return the names of the parameters; `parameter_schema` describes them."""
        return {name: {} for name in self.plan.parameters}

    @property
    def parameter_schema(self) -> Schema:
        """The schema with a field for each parameter, for the document."""
        return self.plan.schema

    def example_error(self) -> JSONObject:
        """Return the errors of an operator that is not offered."""
        for column in self.plan.columns.values():
            return {"query": {f"{column.wire}{SEPARATOR}like": [self.plan.explain(column, "like")]}}
        for name in self.plan.parameters:
            return {"query": {name: ["Given 2 times, but takes one value."]}}
        return {"query": {"name": ["Unknown parameter."]}}

    def compile(self) -> LoadFilters:
        """Return the function that reads a request's query into `Filters`."""
        return self.compile_beside((), _note)

    def compile_beside(self, others: Collection[str], note: NoteErrors) -> LoadFilters:
        """Return the function that reads a request's query.

        Args:
            others: the names that other inputs read.
            note: adds messages by name to the errors of a request.
        """
        plan = self.plan
        make: Callable[..., Filters] = Filters
        if plan.crossings:
            make = partial(SpanningFilters, crossings=plan.crossings)
        usual = make(plan.sorting.usual)
        parameters = plan.bound_parameters()

        def load_filters(request: Any, errors: dict[str, Any]) -> Filters | None:
            if not request.query_string:
                return usual
            wishes: Wishes = {}
            wrong: dict[str, Any] = {}
            for name, texts in request.get_args(keep_blank_values=True).items():
                parameter = parameters.get(name)
                if parameter is not None:
                    message = _take(parameter, texts, wishes)
                else:
                    message = None if name in others else plan.why_unknown(name, len(wrong))
                if message is not None:
                    wrong[name] = message
                    if len(wrong) >= _MOST_MISTAKES:
                        break
            if wrong:
                note(errors, wrong)
                return None
            if not wishes:
                return usual
            return make(wishes.pop("order", plan.sorting.usual), searched=plan.searched, **wishes)

        return load_filters


def _note(errors: dict[str, Any], wrong: dict[str, Any]) -> None:
    errors.setdefault("query", {}).update(wrong)


def _take(parameter: FilterParameter, texts: list[str], wishes: Wishes) -> Any:
    """Read one parameter; return the messages where it is refused."""
    field = parameter.field
    if isinstance(field, CommaList):
        given: Any = texts
    elif len(texts) == 1:
        given = texts[0]
    else:
        return [f"Given {len(texts)} times, but takes one value."]
    message = why_not_storable(texts)
    if message is not None:
        return [message]
    try:
        parameter.take(field.deserialize(given), wishes)
    except ValidationError as exc:
        return exc.messages
    except (ValueError, OverflowError, OSError):
        return ["Not a valid value."]
    return None


class FilterPlan:
    """The parameters of a declaration, made of those of its parts that are right.

    Attributes:
        columns: the columns that may be filtered by, by their names on the wire.
        offered: the names of the operators that each of them offers.
        parameters: all parameters, by their names.
        searched: the columns that words are looked for in.
        crossings: the foreign keys that filters and search go across, by path.
        problems: the mistakes.
    """

    def __init__(self, reader: FilterReader) -> None:
        self.problems: list[Problem] = []
        model: Any = reader.model
        if not (isinstance(model, type) and issubclass(model, peewee.Model)):
            found = f"{reader.label}.model is {model!r:.100}"
            advice = "Name the model whose rows are listed."
            self.problems.append(
                Problem("", found, "a subclass of msframework.models.Model", advice)
            )
            model = type("NoModel", (peewee.Model,), {})
            reader = FilterReader(model)
        self.columns: dict[str, FilterColumn] = {}
        self.offered: dict[str, list[str]] = {}
        self.parameters: dict[str, FilterParameter] = {}
        scopes: Any = reader._filter_scopes
        self._columns = CrossingReader(
            reader.label,
            model,
            reader.schema,
            self.problems,
            scopes=scopes if isinstance(scopes, Mapping) else {},
            related=reader._related,
        )
        self.crossings = self._columns.crossings
        self._add_filters(reader._filters)
        self.sorting = Sorting(self._columns, reader._sort, reader._default_sort)
        if self.sorting.offered:
            self._add("sort", SortParameter("sort", self.sorting))
        self.searched = self._read_search(reader._search)
        if self.searched:
            self._add("search", SearchParameter("q", self.searched, MOST_WORDS))
        for wrong in find_needless_scopes(scopes, self.crossings):
            self._columns.refuse("filter_scopes", *wrong)
        self._add_names(reader)

    @cached_property
    def schema(self) -> Schema:
        """The schema of all parameters, each with a field of its name."""
        shown = {name: each.field for name, each in self.parameters.items()}
        return Schema.from_dict(dict(shown), name="FiltersQuery")()

    def find_named(self, names: Collection[str]) -> Iterator[tuple[str, str]]:
        """Yield the columns that have one of *names*, each behind the place that names it."""
        for place, each in self._columns.named:
            if not {each.name, each.column.name, each.column.column_name}.isdisjoint(names):
                yield place, each.name

    def bound_parameters(self) -> dict[str, FilterParameter]:
        """Return the parameters with the fields that the schema has bound."""
        for name, parameter in self.parameters.items():
            parameter.field = self.schema.load_fields[name]
        return self.parameters

    def why_unknown(self, name: str, before: int = 0) -> list[str] | None:
        """Return why *name* is refused; `None` where it is none of ours to judge.

        Args:
            before: how many names were refused before; a like one is looked for the first few.
        """
        start, _, operator = name.rpartition(SEPARATOR)
        column = self.columns.get(start)
        if name in self.columns:
            column, operator = self.columns[name], "eq"
        if column is None:
            return None
        return [self.explain(column, operator if before < _MOST_ASKED else "")]

    def explain(self, column: FilterColumn, operator: str) -> str:
        """Return the message for an *operator* that *column* does not offer."""
        names = [
            column.wire if each == "eq" else f"{column.wire}{SEPARATOR}{each}"
            for each in self.offered[column.wire]
        ]
        told = f"Unknown filter; there are {', '.join(names)}."
        asked = suggest(f"{column.wire}{SEPARATOR}{operator}", names) if operator else ""
        return f"{told} {asked}".rstrip()

    def _add(self, place: str, parameter: FilterParameter) -> None:
        if parameter.wire in self.parameters:
            found = f"makes the parameter {parameter.wire!r} of the query, which there is already"
            self._columns.refuse(place, found, advice="Rename the field by its data_key.")
        else:
            self.parameters[parameter.wire] = parameter

    def _add_filters(self, filters: object) -> None:
        if not isinstance(filters, Mapping):
            advice = 'Write filters = {"name": ("eq", "icontains")}.'
            found = f"is {filters!r:.100}"
            self._columns.refuse("filters", found, "operators by names of columns", advice)
            return
        for name, operators in filters.items():
            column = self._columns.find(name, "filters")
            if column is None:
                continue
            named = (operators,) if isinstance(operators, str) else tuple(operators)
            if not named:
                self._columns.refuse("filters", f"offers no operator for {name!r}")
            for each in dict.fromkeys(named):
                self._add_filter(column, each)

    def _add_filter(self, column: FilterColumn, name: object) -> None:
        operator = operator_of(name, column.kind) if isinstance(name, str) else None
        fitting = operators_of(column.kind)
        found = f"offers {name!r} for {column.name!r}, "
        if operator is None or not isinstance(name, str):
            known = name in OPERATORS
            why = f"which holds {column.kind.value}" if known else "which is no operator"
            expected = f"one of {', '.join(fitting)}"
            self._columns.refuse("filters", found + why, expected, suggest(name, fitting))
        elif name == "isnull" and not column.may_be_null:
            self._columns.refuse("filters", f"{found}which is never NULL", advice="Drop it.")
        else:
            self.columns[column.wire] = column
            self.offered.setdefault(column.wire, []).append(name)
            self._add("filters", ConditionParameter(column, operator))

    def _read_search(self, names: Sequence[str]) -> tuple[FilterColumn, ...]:
        if isinstance(names, str):
            advice = f"Write search = ({names!r},)."
            self._columns.refuse("search", f"is the text {names!r}", "a tuple of names", advice)
            return ()
        found = []
        for name in dict.fromkeys(names):
            column = self._columns.find(name, "search")
            if column is None:
                continue
            if column.kind is ColumnKind.TEXT:
                found.append(column)
            else:
                text = f"names {name!r}, which holds {column.kind.value}"
                self._columns.refuse("search", text, "a column of text")
        return tuple(found)

    def _add_names(self, reader: FilterReader) -> None:
        if isinstance(reader._fields, Mapping):
            if reader._fields:
                self._add("fields", FieldsParameter("fields", reader._fields))
        elif reader._fields:
            known = {} if reader.schema is None else reader.schema.dump_fields
            wires: dict[str, str] = {}
            for name in reader._fields:
                field = known.get(name)
                if known and field is None:
                    text = f"names {name!r}, which no answer has"
                    expected = f"one of {', '.join(known)}"
                    self._columns.refuse("fields", text, expected, suggest(name, known))
                    continue
                wires[name if field is None or field.data_key is None else field.data_key] = name
            self._add("fields", FieldsParameter("fields", wires))
        deep = [path for path in reader._expand if path.count(".") >= reader._max_depth]
        for path in deep:
            text = f"names {path!r}, which has more than {reader._max_depth} steps"
            self._columns.refuse("expand", text)
        if reader._expand:
            self._add("expand", ExpandParameter("expand", tuple(reader._expand)))

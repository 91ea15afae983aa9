"""Clauses of CREATE TABLE and CREATE INDEX, taken apart into the values of `migrations.schema`.

What a clause leaves unnamed stays so here: `migrations.naming` needs to know the whole table. The
grammar is that of PostgreSQL's manual (CREATE TABLE, CREATE INDEX). Runs at start-up.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, Literal

from msframework.migrations.naming import mentioned, name_object
from msframework.migrations.scanner import Scanner, Unreadable
from msframework.migrations.schema import Column, Constraint, Deferral, ForeignKey
from msframework.migrations.sql import quote
from msframework.migrations.types import SERIALS, canonical

Label = Literal["pkey", "key", "excl", "check", "fkey"]

# The words that begin another clause of a column, and so end a type or an expression.
_CLAUSES: Final = (
    *("constraint", "not null", "null", "default", "unique", "primary key", "check", "generated"),
    *("references", "collate", "deferrable", "not deferrable", "initially", "storage"),
    *("compression", "unindexed", "not enforced", "enforced", "not valid"),
)
_ACTIONS: Final = ("no action", "restrict", "cascade", "set null", "set default")
# The order in which the server names them: its checks, keys and foreign keys.
_NAMED_ORDER: Final[dict[Label, int]] = {"check": 0, "pkey": 1, "key": 2, "excl": 2, "fkey": 3}


@dataclass(frozen=True, slots=True)
class ConstraintClause:
    """A constraint as it is declared.

    Args:
        name: `None` leaves it to the server.
        columns: its columns; those of a CHECK are found later.
        included: the columns of INCLUDE.
        definition: as SQL; empty for a foreign key.
        target: the name of a foreign key's table in parts, the schema first if it is given.
    """

    label: Label
    name: str | None = None
    columns: tuple[str, ...] = ()
    definition: str = ""
    included: tuple[str, ...] = ()
    target: tuple[str, ...] = ()
    target_columns: tuple[str, ...] = ()
    on_delete: str | None = None
    on_update: str | None = None
    deferrable: Deferral | None = None


@dataclass(frozen=True, slots=True)
class ColumnClause:
    """A column as it is declared, and the constraints declared with it."""

    column: Column
    constraints: tuple[ConstraintClause, ...]


@dataclass(slots=True)
class _Facts:
    """The facts of a column, collected while its clauses are read."""

    name: str
    null: bool | None = None
    defaulted: bool = False
    default: str | None = None
    identity: Literal["always", "by default"] | None = None
    generated: str | None = None
    collation: str | None = None
    constraints: list[ConstraintClause] = field(default_factory=list)


def read_column(text: str) -> ColumnClause:
    """Return the column that *text* declares: its name, type and clauses.

    Raises:
        Unreadable: *text* is no such declaration, or says more than a `Column` holds.
    """
    scanner = Scanner(text)
    facts = _Facts(scanner.identifier())
    if not scanner.peek() or any(scanner.sees(each) for each in _CLAUSES):
        raise Unreadable("it has no type, which PostgreSQL wants")
    type_text = canonical(scanner.until(*_CLAUSES))
    while scanner.peek():
        _read_clause(scanner, facts)
    is_key = any(each.label == "pkey" for each in facts.constraints)
    serial = type_text in SERIALS
    # NOTE: what is NULL is no default to PostgreSQL, unless it is cut to a length or precision.
    if facts.default is not None and "(" not in type_text and _is_null(facts.default):
        facts.default = None
    needs_value = is_key or serial or facts.identity is not None
    column = Column(
        facts.name,
        SERIALS.get(type_text, type_text),
        null=not needs_value and facts.null is not False,
        default=facts.default,
        serial=serial,
        identity=facts.identity,
        generated=facts.generated,
        collation=facts.collation,
    )
    sources = (serial, facts.defaulted, facts.identity is not None, facts.generated is not None)
    if sum(sources) > 1:
        raise Unreadable("it has two default values")
    return ColumnClause(column, tuple(facts.constraints))


def _read_clause(scanner: Scanner, facts: _Facts) -> None:
    """Read one clause of a column."""
    name = scanner.identifier() if scanner.accept("constraint") else None
    if scanner.accept("not null"):
        _set_null(facts, value=False)
    elif scanner.accept("null"):
        _set_null(facts, value=True)
    elif scanner.accept("default"):
        if facts.defaulted:
            raise Unreadable("it has two default values")
        facts.defaulted = True
        facts.default = scanner.until(*_CLAUSES)
    elif scanner.accept("collate"):
        facts.collation = ".".join(quote(part) for part in scanner.qualified())
    elif scanner.accept("generated"):
        _read_generated(scanner, facts)
    elif scanner.sees("unique") or scanner.sees("primary key") or scanner.sees("check"):
        facts.constraints.append(replace(_read_key_or_check(scanner, (facts.name,)), name=name))
    elif scanner.sees("references"):
        clause = ConstraintClause("fkey", name, (facts.name,))
        facts.constraints.append(_read_reference(scanner, clause))
    elif facts.constraints and _sees_attribute(scanner):
        facts.constraints[-1] = _read_attributes(scanner, facts.constraints[-1])
    else:
        scanner.finish()


def _is_null(expression: str) -> bool:
    scanner = Scanner(_whole(expression))
    return scanner.accept("null") and scanner.peek() in ("", "::")


def _set_null(facts: _Facts, *, value: bool) -> None:
    if facts.null not in (None, value):
        raise Unreadable("it is declared both NULL and NOT NULL")
    facts.null = value


def _read_generated(scanner: Scanner, facts: _Facts) -> None:
    if scanner.accept("by default as identity"):
        facts.identity = "by default"
    elif scanner.accept("always as identity"):
        facts.identity = "always"
    else:
        scanner.expect("always as")
        facts.generated = _whole(scanner.enclosed())
        if not scanner.accept("stored"):
            raise Unreadable("STORED is missing behind GENERATED ALWAYS AS (…)")
        return
    if scanner.sees("("):
        raise Unreadable("options of an identity's sequence cannot be kept; set them by ALTER")


def read_constraint(text: str) -> ConstraintClause:
    """Return the constraint of a table that *text* declares.

    Raises:
        Unreadable: it is none, or one that a foreign key's value cannot hold.
    """
    scanner = Scanner(text)
    name = scanner.identifier() if scanner.accept("constraint") else None
    if scanner.accept("foreign key"):
        clause = ConstraintClause("fkey", name, read_names(scanner.enclosed()))
        clause = _read_reference(scanner, clause)
    elif scanner.accept("exclude"):
        clause = replace(_read_exclusion(scanner), name=name)
    else:
        clause = replace(_read_key_or_check(scanner, None), name=name)
    clause = _read_attributes(scanner, clause)
    scanner.finish()
    return clause


def _read_key_or_check(scanner: Scanner, columns: tuple[str, ...] | None) -> ConstraintClause:
    """Read a PRIMARY KEY, UNIQUE or CHECK; *columns* are those before it."""
    if scanner.accept("check"):
        definition = f"CHECK ({_whole(scanner.enclosed())})"
        return ConstraintClause("check", definition=definition + _inherit(scanner))
    label: Label = "pkey" if scanner.accept("primary key") else "key"
    if label == "key":
        scanner.expect("unique")
    head = "PRIMARY KEY" if label == "pkey" else "UNIQUE"
    if scanner.accept("nulls not distinct"):
        head += " NULLS NOT DISTINCT"
    scanner.accept("nulls distinct")
    if columns is None:
        elements = Scanner(scanner.enclosed()).items()
        columns = tuple(_read_member(each) for each in elements)
    else:
        elements = tuple(quote(each) for each in columns)
    included, options = _read_index_options(scanner)
    definition = f"{head} ({', '.join(elements)}){options}"
    return ConstraintClause(label, None, columns, definition, included=included)


def _read_member(text: str) -> str:
    """Return the column of one member of a key."""
    scanner = Scanner(text)
    name = scanner.identifier()
    scanner.accept("without overlaps")  # PostgreSQL 18
    scanner.finish()
    return name


def _inherit(scanner: Scanner) -> str:
    return " NO INHERIT" if scanner.accept("no inherit") else ""


def _read_index_options(scanner: Scanner) -> tuple[tuple[str, ...], str]:
    """Read what may follow the columns of a key; return the columns of INCLUDE, and the SQL."""
    options = ""
    included: tuple[str, ...] = ()
    if scanner.accept("include"):
        included = read_names(scanner.enclosed())
        options += f" INCLUDE ({', '.join(map(quote, included))})"
    if scanner.accept("with"):
        options += f" WITH ({scanner.enclosed()})"
    if scanner.accept("using index tablespace"):
        options += f" USING INDEX TABLESPACE {quote(scanner.identifier())}"
    return included, options


def _read_exclusion(scanner: Scanner) -> ConstraintClause:
    method = scanner.identifier() if scanner.accept("using") else "btree"
    elements = Scanner(scanner.enclosed()).items()
    columns = tuple(name_element(each) for each in elements)
    included, options = _read_index_options(scanner)
    definition = f"EXCLUDE USING {method} ({', '.join(elements)}){options}"
    if scanner.accept("where"):
        definition += f" WHERE ({_whole(scanner.enclosed())})"
    return ConstraintClause("excl", None, columns, definition, included=included)


def _read_reference(scanner: Scanner, clause: ConstraintClause) -> ConstraintClause:
    """Read REFERENCES with its actions and attributes."""
    scanner.expect("references")
    target = scanner.qualified()
    columns = read_names(scanner.enclosed()) if scanner.sees("(") else ()
    clause = replace(clause, target=target, target_columns=columns)
    while True:
        if scanner.accept("match"):
            if not scanner.accept("simple"):
                raise Unreadable("a foreign key can only be MATCH SIMPLE, PostgreSQL's default")
        elif scanner.accept("on delete"):
            clause = replace(clause, on_delete=_read_action(scanner))
        elif scanner.accept("on update"):
            clause = replace(clause, on_update=_read_action(scanner))
        else:
            return clause


def _read_action(scanner: Scanner) -> str | None:
    for action in _ACTIONS:
        if scanner.accept(action):
            columns = f" ({scanner.enclosed()})" if scanner.sees("(") else ""
            return action.upper() + columns if action != "no action" else None
    raise Unreadable(f"{scanner.peek().upper() or 'nothing'} is no action of a foreign key")


def _sees_attribute(scanner: Scanner) -> bool:
    return any(scanner.sees(each) for each in ("deferrable", "not deferrable", "initially"))


def _read_attributes(scanner: Scanner, clause: ConstraintClause) -> ConstraintClause:
    """Read DEFERRABLE and INITIALLY."""
    deferrable: Deferral | None = None
    while _sees_attribute(scanner):
        if scanner.accept("not deferrable"):
            deferrable = None
        elif scanner.accept("initially deferred"):
            deferrable = "deferred"
        elif scanner.accept("deferrable"):
            deferrable = "immediate"
        else:
            scanner.expect("initially immediate")
    if deferrable is None:
        return clause
    if clause.label == "fkey":
        return replace(clause, deferrable=deferrable)
    if clause.label == "check":
        raise Unreadable("a CHECK cannot be DEFERRABLE")
    deferral = " DEFERRABLE" + (" INITIALLY DEFERRED" if deferrable == "deferred" else "")
    return replace(clause, definition=clause.definition + deferral)


def read_names(text: str) -> tuple[str, ...]:
    """Return the names that commas separate in *text*."""
    found = []
    for each in Scanner(text).items():
        scanner = Scanner(each)
        found.append(scanner.identifier())
        scanner.finish()
    return tuple(found)


def name_element(text: str) -> str:
    """Return the name that the server gives to one element of an index."""
    scanner = Scanner(_whole(text))
    if scanner.accept("cast ("):
        return name_element(scanner.until("as"))
    first = scanner.peek()[:1]
    if not (first.isalpha() or first in ("_", '"')):
        return "expr"
    name = scanner.qualified()[-1]
    if scanner.sees("("):
        scanner.enclosed()
    known = text[0] != "(" or scanner.peek() in ("", "::", "collate")
    return name if known else "case" if name == "case" else "expr"


def _whole(text: str) -> str:
    """Return *text* without parentheses around all of it."""
    scanner = Scanner(text)
    if scanner.sees("("):
        inner = scanner.enclosed()
        if scanner.done:
            return _whole(inner)
    return text


def name_constraints(
    table: str, columns: Collection[str], clauses: Sequence[ConstraintClause]
) -> tuple[tuple[str, ConstraintClause], ...]:
    """Return *clauses* with their names, in the order of their declaration."""
    made = _made_once(clauses)
    taken = {each.name for each in made if each.name}
    named: dict[int, str] = {}
    for number in _order(made):
        clause = made[number]
        if clause.label == "check":
            used = mentioned(clause.definition, columns)
            middle: tuple[str, ...] = tuple(used) if len(used) == 1 else ()
        else:
            middle = () if clause.label == "pkey" else (*clause.columns, *clause.included)
        named[number] = clause.name or name_object(table, middle, clause.label, taken)
        taken.add(named[number])
    return tuple((named[number], clause) for number, clause in enumerate(made))


def _order(clauses: Sequence[ConstraintClause]) -> list[int]:
    return sorted(range(len(clauses)), key=lambda number: _NAMED_ORDER[clauses[number].label])


def _made_once(clauses: Sequence[ConstraintClause]) -> list[ConstraintClause]:
    """Return *clauses* without each key whose index would equal that of one before it.

    So does the server's transformIndexConstraints, to which a primary key is the first; it also
    gives the name of one that is dropped to the other, if that has none.
    """
    made: dict[int, ConstraintClause] = {}
    first: dict[tuple[object, ...], int] = {}
    for number in _order(clauses):
        clause = clauses[number]
        if clause.label in ("check", "fkey"):
            made[number] = clause
            continue
        kept = first.setdefault(_index_facts(clause), number)
        if kept == number:
            made[number] = clause
        elif made[kept].name is None:
            made[kept] = replace(made[kept], name=clause.name)
    return [made[number] for number in sorted(made)]


def _index_facts(clause: ConstraintClause) -> tuple[object, ...]:
    """Return what the server compares of the indexes of two keys."""
    text = clause.definition
    if clause.label == "excl":
        return (text,)
    nulls = "NULLS NOT DISTINCT" in text.partition("(")[0]
    deferral = tuple(text.endswith(each) for each in (" DEFERRABLE", " INITIALLY DEFERRED"))
    return clause.columns, clause.included, nulls, *deferral


def build_constraint(name: str, clause: ConstraintClause, target: str) -> Constraint | ForeignKey:
    """Return the value for *clause*; *target* is the name of the table that it points to."""
    if clause.label != "fkey":
        return Constraint(name, clause.definition)
    return ForeignKey(
        name,
        clause.columns,
        target,
        clause.target_columns,
        on_delete=clause.on_delete,
        on_update=clause.on_update,
        deferrable=clause.deferrable,
    )

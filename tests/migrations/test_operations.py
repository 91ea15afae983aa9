"""Operations against PostgreSQL: forwards, back, again; at once and while others are at work.

After each way the catalog is the one of tables made directly as the models now say.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from msframework.migrations import (
    AddColumn,
    AddConstraint,
    AlterColumn,
    AlterEnum,
    Column,
    CommentTable,
    Constraint,
    CreateEnum,
    CreateIndex,
    CreateTable,
    DropColumn,
    DropConstraint,
    DropEnum,
    DropIndex,
    DropTable,
    EnumType,
    ForeignKey,
    Index,
    RenameColumn,
    RenameConstraint,
    RenameIndex,
    RenameTable,
    Run,
    Table,
    operations,
)
from msframework.migrations.operations.program import read_phases, reverse_operations, wants_steps
from msframework.migrations.sql import quote, quote_qualified
from tests.migrations.catalog_rows import empty, read_rows, reverse, run, run_phases
from tests.migrations.support import own_database

ID = Column("id", "integer", serial=True)
KEY = Constraint("users_pkey", "PRIMARY KEY (id)")
NAME = Column("name", "varchar(128)")
USERS = Table("users", (ID, NAME), constraints=(KEY,))
CITIES = Table(
    "cities",
    (Column("id", "integer", serial=True), Column("name", "text", null=True)),
    constraints=(Constraint("cities_pkey", "PRIMARY KEY (id)"),),
)
ADA = "INSERT INTO users (name) VALUES ('Ada'), ('Bob')"


@dataclass(frozen=True)
class Case:
    """One change: what is there, what is done, what is there afterwards.

    Args:
        rows: the statement that fills the tables before.
        kept: a query, and the rows that it gives after the change.
    """

    before: tuple
    operations: tuple
    after: tuple
    rows: str | None = ADA
    kept: tuple[str, list] = field(default=("SELECT name FROM users ORDER BY 1", ["Ada", "Bob"]))


def users(*columns: Column, keys: tuple = (), indexes: tuple = (), name: str = "users") -> Table:
    """Return the table of users with more columns, constraints and indexes."""
    made = (Constraint(f"{name.split('.')[-1]}_pkey", "PRIMARY KEY (id)"), *keys)
    return Table(name, (ID, NAME, *columns), constraints=made, indexes=indexes)


def added(column: Column, fill=None, kept=None, **more) -> Case:
    """Return the case of a new column of users."""
    query = f"SELECT {column.name}::text FROM users ORDER BY id"
    shown = {} if kept is None else {"kept": (query, kept)}
    return Case((USERS,), (AddColumn("users", column, fill),), (users(column),), **shown, **more)


def altered(old: Column, new: Column, kept=None, rows=None, **more) -> Case:
    """Return the case of a column of users that changes."""
    query = f"SELECT {new.name}::text FROM users ORDER BY id"
    given = "" if rows is None else f"INSERT INTO users (name, {old.name}) VALUES {rows}"
    return Case(
        (users(old),),
        (AlterColumn("users", old, new, **more),),
        (users(new),),
        rows=given or ADA,
        **({} if kept is None else {"kept": (query, kept)}),
    )


AGE = Column("age", "integer", null=True)
MOOD = EnumType("mood", ("sad", "glad"))
CASES = {
    "a table": Case(
        (USERS,),
        (CreateTable(CITIES),),
        (USERS, CITIES),
    ),
    "a table with everything": Case(
        (USERS,),
        (
            CreateTable(
                Table(
                    "shop.order",
                    (
                        Column("id", "bigint", identity="always"),
                        Column("Größe", "numeric(5, 2)", default="0", comment="it's \\ big"),
                        Column("user_id", "integer", null=True),
                        Column("twice", "integer", null=True, generated="user_id * 2"),
                        Column("code", "varchar(8)", collation='"C"', client_default="''"),
                    ),
                    constraints=(
                        Constraint("order_pkey", "PRIMARY KEY (id)"),
                        Constraint("order_size", 'CHECK ("Größe" % 2 >= 0)'),
                        ForeignKey(
                            "order_user_id_fkey",
                            ("user_id",),
                            "users",
                            ("id",),
                            on_delete="CASCADE",
                            on_update="SET NULL",
                            deferrable="deferred",
                        ),
                    ),
                    indexes=(
                        Index(
                            "order_code",
                            ("lower(code)", "user_id DESC NULLS LAST"),
                            unique=True,
                            include=("Größe",),
                            nulls_distinct=False,
                            where="code <> ''",
                            storage=("fillfactor = 70",),
                        ),
                        Index("order_user_id", ("user_id",), method="hash"),
                    ),
                    comment="what is bought",
                    storage=("WITH (fillfactor = 80)",),
                )
            ),
        ),
        (),
    ),
    "a table less": Case((USERS, CITIES), (DropTable(CITIES),), (USERS,)),
    "a table renamed": Case(
        (USERS,),
        (RenameTable("users", "People"), RenameConstraint("People", "users_pkey", "People_pkey")),
        (users(name="People"),),
        kept=('SELECT name FROM "People" ORDER BY 1', ["Ada", "Bob"]),
    ),
    "a table moved": Case(
        (USERS,),
        (RenameTable("users", "shop.users"),),
        (users(name="shop.users"),),
        kept=("SELECT name FROM shop.users ORDER BY 1", ["Ada", "Bob"]),
    ),
    "a table moved and renamed": Case(
        (users(name="depot.users"),),
        (
            RenameTable("depot.users", "shop.people"),
            RenameConstraint("shop.people", "users_pkey", "people_pkey"),
        ),
        (users(name="shop.people"),),
        rows="INSERT INTO depot.users (name) VALUES ('Ada')",
        kept=("SELECT name FROM shop.people", ["Ada"]),
    ),
    "a comment": Case(
        (USERS,),
        (CommentTable("users", None, "it's us"),),
        (replace(USERS, comment="it's us"),),
    ),
    "a column of NULL": added(AGE, kept=[None, None]),
    "a column with a comment": added(replace(AGE, comment="in years")),
    "a column with a client's default": added(
        Column("sex", "varchar(8)", client_default="''"), "''", kept=["", ""]
    ),
    "a column with a server's default": added(
        Column("sex", "varchar(8)", default="'?'::character varying"), kept=["?", "?"]
    ),
    "a column with a default and another fill": added(
        Column("age", "integer", default="1"), "2", kept=["2", "2"]
    ),
    "a column of JSON": added(Column("data", "jsonb"), "'{}'", kept=["{}", "{}"]),
    "a column of lists": added(Column("tags", "text[]"), "ARRAY[]::text[]", kept=["{}", "{}"]),
    "a column filled from another": added(
        Column("low", "text"), "lower(name)", kept=["ada", "bob"]
    ),
    "a column filled by a function": added(Column("code", "uuid"), uuid4),
    "a nullable column filled by a function": added(Column("code", "uuid", null=True), uuid4),
    "a column with a volatile default": added(Column("code", "uuid", default="gen_random_uuid()")),
    "a nullable column with a volatile default": added(
        Column("code", "uuid", null=True, default="gen_random_uuid()")
    ),
    "a serial column": added(Column("number", "bigint", serial=True), kept=["1", "2"]),
    "a serial column with values": added(
        Column("number", "integer", serial=True), "length(name) * 10", kept=["30", "30"]
    ),
    "an identity column": added(Column("number", "integer", identity="always"), kept=["1", "2"]),
    "a generated column": added(
        Column("low", "text", null=True, generated="lower((name)::text)"), kept=["ada", "bob"]
    ),
    "a required column of no rows": added(Column("age", "integer"), rows="SELECT 1", kept=[]),
    "a column less": Case((users(AGE),), (DropColumn("users", AGE),), (USERS,)),
    "a required column less": Case(
        (users(replace(AGE, null=False)),),
        (DropColumn("users", replace(AGE, null=False), restore="0"),),
        (USERS,),
        rows="INSERT INTO users (name, age) VALUES ('Ada', 1), ('Bob', 2)",
    ),
    "a column renamed": Case(
        (users(Column("a", "integer", serial=True)),),
        (RenameColumn("users", "a", "B c"),),
        (users(Column("B c", "integer", serial=True)),),
    ),
    "a column longer": altered(
        Column("c", "varchar(2)"), Column("c", "varchar(3)"), ["a"], "(1, 'a')"
    ),
    "a column shorter": altered(Column("c", "text"), Column("c", "varchar(1)"), ["a"], "(1, 'a')"),
    "a number as text": altered(Column("c", "integer"), Column("c", "text"), ["1"], "('', 1)"),
    "text as a number": altered(Column("c", "text"), Column("c", "integer"), ["1"], "('', '1')"),
    "a truth as a number": altered(
        Column("c", "boolean"), Column("c", "bigint"), ["1"], "('', true)"
    ),
    "a type by an expression": altered(
        Column("c", "text"), Column("c", "integer"), ["3"], "('', 'abc')", using="length(c)"
    ),
    "a list of one": altered(Column("c", "text"), Column("c", "text[]"), ["{a}"], "('', 'a')"),
    "a list of one of another type": altered(
        Column("c", "integer"), Column("c", "text[]"), ["{7}"], "('', 7)", using="ARRAY[c]"
    ),
    "a number as JSON": altered(Column("c", "integer"), Column("c", "jsonb"), ["7"], "('', 7)"),
    "a time in a zone": altered(
        Column("c", "timestamp"),
        Column("c", "timestamptz"),
        ["2026-01-01 21:00:00+09"],
        "('', '2026-01-01 12:00')",
    ),
    "a list of another type": altered(
        Column("c", "text[]"), Column("c", "integer[]"), ["{1}"], "('', '{1}')"
    ),
    "a type with a default": altered(
        Column("c", "text", default="'x'::text"),
        Column("c", "integer", default="7"),
        ["1"],
        "('', '1')",
    ),
    "a precision": altered(
        Column("c", "numeric(5, 2)"), Column("c", "numeric(7, 2)"), ["1.50"], "('', 1.5)"
    ),
    "a default": altered(AGE, replace(AGE, default="7")),
    "another default": altered(replace(AGE, default="7"), replace(AGE, default="8")),
    "a client's default": altered(AGE, replace(AGE, client_default="8")),
    "a column's comment": altered(AGE, replace(AGE, comment="in 'years'")),
    "a collation": altered(
        Column("c", "text", default="'x'::text"),
        Column("c", "text", collation='"C"', default="'x'::text"),
    ),
    "a required column": altered(AGE, replace(AGE, null=False), ["0", "0"], fill="0"),
    "a required column of a function": altered(
        Column("c", "uuid", null=True), Column("c", "uuid"), fill=uuid4
    ),
    "a required column of another type": altered(
        replace(AGE, default="1"),
        Column("age", "text", default="'2'::text"),
        ["0"],
        "('', NULL)",
        fill="'0'",
    ),
    "from serial to identity": altered(
        Column("n", "integer", serial=True),
        Column("n", "bigint", identity="by default"),
        ["1", "2"],
    ),
    "from plain to serial": altered(
        Column("n", "integer"), Column("n", "integer", serial=True), ["5"], "('', 5)"
    ),
    "from plain to identity": altered(
        AGE,
        Column("age", "integer", identity="always"),
        ["5", "9"],
        "('', 5), ('', NULL)",
        fill="9",
    ),
    "from NULL to serial": altered(
        AGE, Column("age", "bigint", serial=True), ["5", "6"], "('', 5), ('', NULL)"
    ),
    "from NULL to identity": altered(
        AGE, Column("age", "integer", identity="always"), ["5", "6"], "('', 5), ('', NULL)"
    ),
    "from serial to a default": altered(
        Column("n", "integer", serial=True), Column("n", "text", default="'x'::text"), ["1", "2"]
    ),
    "a longer serial": altered(
        Column("n", "integer", serial=True), Column("n", "bigint", serial=True), ["1", "2"]
    ),
    "a longer identity": altered(
        Column("n", "integer", identity="always"),
        Column("n", "bigint", identity="by default"),
        ["1", "2"],
    ),
    "no longer generated": altered(
        Column("n", "integer", null=True, generated="length((name)::text)"),
        Column("n", "integer", null=True),
        ["3", "3"],
    ),
    "generated otherwise": altered(
        Column("n", "integer", null=True, generated="length((name)::text)"),
        Column("n", "bigint", null=True, generated="length((name)::text) * 2", comment="twice"),
        ["6", "6"],
    ),
    "a check": Case(
        (USERS,),
        (AddConstraint("users", Constraint("short", "CHECK (length(name) < 9)")),),
        (users(keys=(Constraint("short", "CHECK (length(name) < 9)"),)),),
    ),
    "a foreign key": Case(
        (CITIES, users(Column("city_id", "integer", null=True))),
        (
            AddConstraint(
                "users",
                ForeignKey(
                    "users_city_id_fkey",
                    ("city_id",),
                    "cities",
                    ("id",),
                    on_delete="SET NULL",
                    deferrable="deferred",
                ),
            ),
        ),
        (
            CITIES,
            users(
                Column("city_id", "integer", null=True),
                keys=(
                    ForeignKey(
                        "users_city_id_fkey",
                        ("city_id",),
                        "cities",
                        ("id",),
                        on_delete="SET NULL",
                        deferrable="deferred",
                    ),
                ),
            ),
        ),
    ),
    "a unique constraint": Case(
        (USERS,),
        (AddConstraint("users", Constraint("u", "UNIQUE NULLS NOT DISTINCT (name, id)")),),
        (users(keys=(Constraint("u", "UNIQUE NULLS NOT DISTINCT (name, id)"),)),),
    ),
    "a deferrable unique constraint": Case(
        (USERS,),
        (
            AddConstraint(
                "users",
                Constraint("u", "UNIQUE (name) INCLUDE (id) DEFERRABLE INITIALLY DEFERRED"),
            ),
        ),
        (
            users(
                keys=(Constraint("u", "UNIQUE (name) INCLUDE (id) DEFERRABLE INITIALLY DEFERRED"),)
            ),
        ),
    ),
    "an exclusion": Case(
        (USERS,),
        (AddConstraint("users", Constraint("x", "EXCLUDE USING btree (name WITH =)")),),
        (users(keys=(Constraint("x", "EXCLUDE USING btree (name WITH =)"),)),),
    ),
    "another primary key": Case(
        (USERS,),
        (
            DropConstraint("users", KEY),
            AddConstraint("users", Constraint("users_pkey", "PRIMARY KEY (name, id)")),
        ),
        (replace(USERS, constraints=(Constraint("users_pkey", "PRIMARY KEY (name, id)"),)),),
    ),
    "a constraint renamed": Case(
        (USERS,),
        (RenameConstraint("users", "users_pkey", "The key"),),
        (replace(USERS, constraints=(Constraint("The key", "PRIMARY KEY (id)"),)),),
    ),
    "an index": Case(
        (USERS,),
        (CreateIndex("users", Index("users_name", ("lower(name)",), where="id > 0")),),
        (users(indexes=(Index("users_name", ("lower(name)",), where="id > 0"),)),),
    ),
    "an index less": Case(
        (users(indexes=(Index("Users name", ("name",), unique=True),)),),
        (DropIndex("users", Index("Users name", ("name",), unique=True)),),
        (USERS,),
    ),
    "an index in a schema renamed": Case(
        (users(name="shop.users", indexes=(Index("a", ("name",)),)),),
        (RenameIndex("shop.users", "a", "b"),),
        (users(name="shop.users", indexes=(Index("b", ("name",)),)),),
        rows=None,
        kept=("SELECT name FROM shop.users", []),
    ),
    "an enum": Case(
        (USERS,),
        (
            CreateEnum(replace(MOOD, name="shop.mood")),
            AddColumn("users", Column("mood", "shop.mood"), "'sad'"),
        ),
        (replace(MOOD, name="shop.mood"), users(Column("mood", "shop.mood"))),
    ),
    "an enum less": Case((MOOD, USERS), (DropEnum(MOOD),), (USERS,)),
    "values of an enum": Case(
        (MOOD, users(Column("mood", "mood", default="'sad'::mood"))),
        (AlterEnum(MOOD, EnumType("mood", ("first", "sad", "so-so", "glad", "last"))),),
        (
            EnumType("mood", ("first", "sad", "so-so", "glad", "last")),
            users(Column("mood", "mood", default="'sad'::mood")),
        ),
    ),
    "a value of an enum renamed": Case(
        (MOOD, users(Column("mood", "mood", default="'glad'::mood"))),
        (AlterEnum(MOOD, EnumType("mood", ("sad", "it's fine"))),),
        (
            EnumType("mood", ("sad", "it's fine")),
            users(Column("mood", "mood", default="'it''s fine'::mood")),
        ),
        kept=("SELECT mood::text FROM users", ["it's fine", "it's fine"]),
    ),
    "a value of an enum less": Case(
        (
            MOOD,
            users(
                Column("mood", "mood", default="'sad'::mood"),
                Column("moods", "mood[]", null=True),
                keys=(Constraint("ok", "CHECK (mood >= 'sad'::mood)"),),
                indexes=(Index("sad", ("id",), where="mood = 'sad'::mood"), Index("m", ("mood",))),
            ),
        ),
        (AlterEnum(MOOD, EnumType("mood", ("sad",))),),
        (
            EnumType("mood", ("sad",)),
            users(
                Column("mood", "mood", default="'sad'::mood"),
                Column("moods", "mood[]", null=True),
                keys=(Constraint("ok", "CHECK (mood >= 'sad'::mood)"),),
                indexes=(Index("sad", ("id",), where="mood = 'sad'::mood"), Index("m", ("mood",))),
            ),
        ),
        kept=("SELECT mood::text FROM users", ["sad", "sad"]),
    ),
    "an enum renamed and moved": Case(
        (MOOD, users(Column("mood", "mood", default="'sad'::mood"))),
        (AlterEnum(MOOD, replace(MOOD, name="shop.Temper")),),
        (
            replace(MOOD, name="shop.Temper"),
            users(Column("mood", 'shop."Temper"', default="'sad'::shop.\"Temper\"")),
        ),
    ),
    "SQL": Case(
        (USERS,),
        (
            Run(
                "ALTER TABLE users ADD age integer; -- and; so on\nUPDATE users SET age = 7 % 4",
                "ALTER TABLE users DROP age",
            ),
        ),
        (users(AGE),),
        kept=("SELECT age::text FROM users", ["3", "3"]),
    ),
}


# What is lost on the way: columns and tables that went, NULL that was filled, what an expression
# left out.
NOT_BROUGHT_BACK = {
    "a column less",
    "a required column less",
    "a required column",
    "a required column of a function",
    "a required column of another type",
    "a table less",
    "a type by an expression",
    "from NULL to identity",
    "from NULL to serial",
    "from plain to identity",
}


def made_of(things: tuple) -> list:
    """Return the operations that make tables and types directly."""
    return [
        CreateEnum(each) if isinstance(each, EnumType) else CreateTable(each) for each in things
    ]


@pytest.fixture(scope="module")
def module_database(server_url):
    """The address of a database that the module has for itself."""
    with own_database(server_url, "operations") as url:
        yield url


@pytest.fixture(scope="module")
def opened(module_database):
    """A connection of the module."""
    options = (
        "-c timezone=Asia/Tokyo -c client_min_messages=warning -c synchronous_commit=off -c jit=off"
    )
    with psycopg.connect(module_database, autocommit=True, options=options) as connection:
        yield connection


@pytest.fixture
def connection(opened):
    """The connection, to an empty database."""
    empty(opened)
    return opened


@pytest.fixture(scope="module")
def wanted_of():
    """The catalog after each case, once it was read."""
    return {}


def rows_of(connection, things: tuple) -> list:
    """Return the rows of all tables, each with its columns in the order of their names."""
    found = []
    for table in things:
        if isinstance(table, Table):
            columns = ", ".join(quote(each.name) for each in sorted(table.columns, key=str))
            query = f"SELECT {columns} FROM {quote_qualified(table.name)}"
            found.append(sorted(connection.execute(query, prepare=False).fetchall(), key=repr))
    return found


def first_values(connection, query: str) -> list:
    """Return the first value of each row."""
    return [row[0] for row in connection.execute(query, prepare=False).fetchall()]


@pytest.mark.parametrize("online", [False, True], ids=["at once", "online"])
@pytest.mark.parametrize("name", CASES)
def test_an_operation_goes_forwards_and_back(connection, wanted_of, name, online):
    case = CASES[name]
    operations = list(case.operations)
    if name not in wanted_of:
        run(connection, made_of(case.after) or [*made_of(case.before), *operations])
        wanted_of[name] = read_rows(connection)
        empty(connection)
    wanted = wanted_of[name]
    run(connection, made_of(case.before))
    before = read_rows(connection)
    if case.rows:
        connection.execute(case.rows)
    rows = rows_of(connection, case.before)

    run(connection, operations, online)

    assert read_rows(connection) == wanted
    query, kept = case.kept
    assert first_values(connection, query) == kept

    run(connection, reverse(operations), online)

    assert read_rows(connection) == before
    assert name in NOT_BROUGHT_BACK or rows_of(connection, case.before) == rows

    run(connection, operations, online)

    assert read_rows(connection) == wanted


@pytest.mark.parametrize("old", ["serial", "identity"])
def test_counting_goes_on_where_it_was_when_it_is_done_otherwise(connection, old):
    serial = Column("n", "integer", serial=True)
    identity = Column("n", "integer", identity="always")
    one, two = (serial, identity) if old == "serial" else (identity, serial)
    run(connection, [CreateTable(users(one))])
    connection.execute(ADA)
    connection.execute("DELETE FROM users WHERE n = 2")  # whose number stays used

    run(connection, [AlterColumn("users", one, two)])
    connection.execute("INSERT INTO users (name) VALUES ('Eve')")

    assert first_values(connection, "SELECT n FROM users ORDER BY 1") == [1, 3]


@pytest.mark.parametrize("name", ["n", "following", "sequence"])
def test_a_plain_column_counts_on_behind_its_greatest_value(connection, name):
    plain = Column(name, "integer")
    run(connection, [CreateTable(users(plain))])
    connection.execute(f"INSERT INTO users (name, {name}) VALUES ('Ada', 7)")

    run(connection, [AlterColumn("users", plain, replace(plain, serial=True))])
    connection.execute("INSERT INTO users (name) VALUES ('Eve')")

    assert first_values(connection, f"SELECT {name} FROM users ORDER BY 1") == [7, 8]


@pytest.mark.parametrize("online", [False, True], ids=["at once", "online"])
def test_a_required_column_without_a_value_says_that_there_are_rows(connection, online):
    run(connection, [CreateTable(USERS)])
    connection.execute(ADA)

    with pytest.raises(psycopg.Error, match=r"users has rows, for which the column age") as found:
        run(connection, [AddColumn("users", replace(AGE, null=False))], online)

    assert "restore" in str(found.value.diag.message_hint)


def test_null_is_found_before_a_check_is_added_that_stops_writes(connection):
    run(connection, [CreateTable(users(AGE))])
    before = read_rows(connection)
    connection.execute(ADA)

    with pytest.raises(psycopg.Error, match="age of users becomes NOT NULL, and some rows have"):
        run(connection, [AlterColumn("users", AGE, replace(AGE, null=False))], online=True)

    assert read_rows(connection) == before


@pytest.mark.parametrize(
    "constraint",
    [
        Constraint("short", "CHECK (length(name) < 3 OR (name = ')')) NO INHERIT"),
        ForeignKey("users_id_fkey", ("id",), "cities", ("id",)),
    ],
    ids=["check", "foreign key"],
)
def test_rows_that_break_a_constraint_are_found_before_it_is_added(connection, constraint):
    run(connection, [CreateTable(CITIES), CreateTable(USERS)])
    before = read_rows(connection)
    connection.execute(ADA)

    with pytest.raises(psycopg.Error, match=f"Rows of users break {constraint.name}") as found:
        run(connection, [AddConstraint("users", constraint)], online=True)

    assert read_rows(connection) == before
    _, _, query = found.value.diag.message_hint.partition(": ")
    assert len(connection.execute(query).fetchall()) == 2


def test_rows_that_came_while_a_column_was_filled_are_filled_too(connection):
    code = Column("code", "uuid")
    run(connection, [CreateTable(USERS)])
    connection.execute(ADA)
    operation = AddColumn("users", code, uuid4)
    first, *others = read_phases([operation], online=True)[0][1]
    run_phases(connection, [first])
    run_phases(connection, [others[0]])
    connection.execute("INSERT INTO users (name) VALUES ('Eve')")

    run_phases(connection, others[2:])  # what refuses NULL looked a moment before

    values = first_values(connection, "SELECT code FROM users")
    assert len(set(values)) == 3
    assert None not in values


def test_duplicates_fail_a_unique_index_which_is_built_anew_afterwards(connection):
    constraint = Constraint("users_name", "UNIQUE (name)")
    run(connection, [CreateTable(USERS)])
    connection.execute(ADA + ", ('Ada')")
    with pytest.raises(psycopg.errors.UniqueViolation):
        run(connection, [AddConstraint("users", constraint)], online=True)
    connection.execute("DELETE FROM users WHERE id = 3")

    run(connection, [AddConstraint("users", constraint)], online=True)

    found = read_rows(connection)
    empty(connection)
    run(connection, [CreateTable(users(keys=(constraint,)))])
    assert found == read_rows(connection)


def test_rows_whose_checks_are_put_off_can_be_filled(connection):
    reference = Column("city_id", "integer", null=True)
    key = ForeignKey("users_city_id_fkey", ("city_id",), "cities", ("id",), deferrable="deferred")
    run(connection, [CreateTable(CITIES), CreateTable(users(reference, keys=(key,)))])
    connection.execute(ADA)
    connection.execute("INSERT INTO cities (id) VALUES (1)")

    run(connection, [AlterColumn("users", reference, replace(reference, null=False), fill="1")])

    assert first_values(connection, "SELECT city_id FROM users") == [1, 1]


def test_a_removed_value_of_an_enum_that_a_row_has_fails(connection):
    columns = Column("mood", "mood"), Column("moods", "mood[]", null=True)
    run(connection, [CreateEnum(MOOD), CreateTable(users(*columns))])
    connection.execute("INSERT INTO users (name, mood) VALUES ('Ada', 'glad')")
    before = read_rows(connection)

    for place in ("mood", "moods"):
        message = rf"The type mood loses glad, which is a value of rows in users\.{place}\."
        with pytest.raises(psycopg.Error, match=message):
            run(connection, [AlterEnum(MOOD, EnumType("mood", ("sad",)))])
        assert read_rows(connection) == before
        connection.execute("UPDATE users SET mood = 'sad', moods = '{sad,glad}'")
        before = read_rows(connection)


def test_a_new_value_of_an_enum_is_used_by_the_next_operation(connection):
    longer = EnumType("mood", ("sad", "so-so", "glad"))
    column = Column("mood", "mood", default="'so-so'::mood")
    run(connection, [CreateEnum(MOOD), CreateTable(USERS)])
    connection.execute(ADA)

    run(connection, [AlterEnum(MOOD, longer), AddColumn("users", column)], online=True)

    assert first_values(connection, "SELECT mood::text FROM users") == ["so-so", "so-so"]


def test_an_index_on_a_column_is_not_lost_when_it_is_generated_otherwise(connection):
    old = Column("low", "text", null=True, generated="lower(name)")
    new = replace(old, generated="upper(name)")
    run(connection, [CreateTable(users(old, indexes=(Index("low", ("low",)),)))])

    with pytest.raises(psycopg.Error, match="low of users has an index or a constraint"):
        run(connection, [AlterColumn("users", old, new)])


def test_names_that_somebody_has_chosen_do_not_follow(connection):
    run(connection, [CreateTable(USERS)])
    connection.execute("ALTER SEQUENCE users_id_seq RENAME TO numbers")

    run(connection, [RenameTable("users", "people")])

    assert [row[1] for row in read_rows(connection)["sequences"]] == ["numbers"]


CUT = {
    "long": ("u" * 40, "p" * 50),
    "short": ("u" * 20, "p" * 50),
    "umlauts": ("ü" * 4, "p" * 50),
    "long umlauts": ("pü" * 20, "üp" * 20),
    "cut to the same": ("p" * 49 + "q", "p" * 50),
    "shorter": ("p" * 50, "u"),
}


@pytest.mark.parametrize(("table", "new"), CUT.values(), ids=CUT)
def test_names_that_are_cut_follow(connection, table, new):
    columns = (
        Column("c" * 40, "integer", serial=True),
        Column("c" * 39 + "d", "integer"),
        Column("ö" * 30, "bigint", identity="always"),
    )
    run(connection, [CreateTable(Table(new, columns))])
    wanted = read_rows(connection)
    empty(connection)
    run(connection, [CreateTable(Table(table, columns))])

    run(connection, [RenameTable(table, new)])

    assert read_rows(connection) == wanted


@pytest.mark.parametrize("new", ["c" * 39 + "d", "d"], ids=["cut to the same", "shorter"])
def test_names_that_are_cut_follow_a_column(connection, new):
    table = Table("u" * 40, (Column(new, "integer", serial=True),))
    run(connection, [CreateTable(table)])
    wanted = read_rows(connection)
    empty(connection)
    columns = (Column("c" * 40, "integer", serial=True),)
    run(connection, [CreateTable(replace(table, columns=columns))])

    run(connection, [RenameColumn(table.name, "c" * 40, new)])

    assert read_rows(connection) == wanted
    run(connection, [RenameColumn(table.name, new, "c" * 40)])


def test_names_that_others_have_get_a_number(connection):
    number = (Column("c_d", "integer", serial=True),)
    run(connection, [CreateTable(Table("a_b", number)), CreateTable(Table("u", number))])

    run(connection, [RenameTable("a_b", "a"), RenameColumn("a", "c_d", "b_c_d")])
    run(connection, [RenameTable("u", "a_b")])
    assert sequences(connection) == ["a_b_c_d_seq", "a_b_c_d_seq1"]

    run(connection, [RenameTable("a_b", "u")])
    assert sequences(connection) == ["a_b_c_d_seq", "u_c_d_seq"]


def sequences(connection):
    """Return the names of all sequences."""
    return sorted(row[1] for row in read_rows(connection)["sequences"])


MOVES = [
    ("depot.users", "shop.users", 'CREATE TABLE shop."users" ()', "users"),
    ("depot.users", "shop.people", "CREATE TABLE shop.people ()", "people"),
    ("depot.users", "shop.users", "CREATE VIEW shop.users_name AS SELECT 1", "users_name"),
    ("depot.users", "shop.people", "CREATE TABLE shop.users_pkey ()", "users_pkey"),
    ("depot.users", "shop.users", "CREATE SEQUENCE shop.users_id_seq", "users_id_seq"),
    ("depot.users", "users", "CREATE TABLE users_name (); CREATE TABLE users ()", "users, users_n"),
]


@pytest.mark.parametrize(("old", "new", "there", "names"), MOVES, ids=range(len(MOVES)))
def test_names_that_stand_where_a_table_moves_to_are_named_first(
    connection, old, new, there, names
):
    connection.execute("CREATE SCHEMA shop")
    made = replace(users(name=old, indexes=(Index("users_name", ("name",)),)))
    run(connection, [CreateTable(made)])
    connection.execute(there, prepare=False)
    before = read_rows(connection)

    with pytest.raises(psycopg.Error, match=f"moves to .*, which has these names already: {names}"):
        run(connection, [RenameTable(old, new)])

    assert read_rows(connection) == before


def test_a_table_without_a_schema_is_found_on_the_search_path(connection):
    connection.execute("CREATE SCHEMA shop")
    connection.execute("SET search_path TO shop")
    try:
        run(connection, [CreateTable(replace(USERS, name="depot.users"))])
        run(connection, [RenameTable("depot.users", "people")])
        run(connection, [RenameColumn("people", "id", "number")], online=True)
        found = read_rows(connection)
    finally:
        connection.execute("SET search_path TO DEFAULT")

    assert [row[:2] for row in found["tables"]] == [("shop", "people")]
    assert [row[:2] for row in found["sequences"]] == [("shop", "people_number_seq")]


def test_a_sequence_that_defaults_draw_from_is_made_once_and_stays(connection):
    first, second = (Column(name, "integer", default="NEXTVAL('of_all')") for name in ("a", "b"))
    run(connection, [CreateTable(Table("t", (first,))), AddColumn("t", second)])
    connection.execute("INSERT INTO t DEFAULT VALUES")
    assert connection.execute("SELECT a, b FROM t").fetchall() == [(1, 2)]

    run(connection, [DropColumn("t", first)])
    connection.execute("INSERT INTO t DEFAULT VALUES")

    assert first_values(connection, "SELECT b FROM t") == [2, 3]


def test_a_table_that_the_migration_has_made_is_changed_the_short_way():
    index = Index("users_name", ("name",))
    operations = [
        CreateTable(USERS),
        RenameTable("users", "people"),
        CreateIndex("people", index),
        CreateIndex("cities", replace(index, name="cities_name")),
    ]

    found = read_phases(operations, online=True)

    assert [phases[0].transaction for _, phases in found] == [True, True, True, False]


def test_what_blocks_others_for_long_is_done_in_steps():
    index = CreateIndex("users", Index("users_name", ("name",)))

    assert wants_steps([index])
    assert wants_steps([AddColumn("users", AGE, "length(name)")])
    assert not wants_steps([CreateTable(USERS), index, AddColumn("cities", AGE, "0")])


def test_what_has_no_way_back_makes_all_irreversible():
    assert reverse_operations([RenameTable("a", "b"), Run("SELECT 1")]) is None


@pytest.mark.parametrize("name", CASES)
def test_a_reverse_of_a_reverse_is_the_operation(name):
    for operation in CASES[name].operations:
        found = operation.reverse().reverse()
        if isinstance(operation, AlterColumn):  # casts take the place of an expression
            found = replace(found, using=operation.using)
        assert found == operation


@pytest.mark.parametrize(
    "name",
    [
        "a check",
        "a collation",
        "a column filled by a function",
        "a column longer",
        "a column of JSON",
        "a column with a default and another fill",
        "a column with a volatile default",
        "a deferrable unique constraint",
        "a precision",
        "a required column of a function",
        "a serial column",
        "an identity column",
        "an index",
        "from plain to identity",
        "from plain to serial",
        "values of an enum",
    ],
)
def test_a_table_in_use_is_not_written_anew(connection, name):
    case = CASES[name]
    run(connection, made_of(case.before))
    connection.execute(case.rows)
    before = first_values(connection, "SELECT pg_relation_filenode('users')")

    run(connection, list(case.operations), online=True)

    assert first_values(connection, "SELECT pg_relation_filenode('users')") == before


# Columns of one value, 1, each of which can become each other and come back.
COLUMNS = {
    "number": Column("c", "integer"),
    "number or none": Column("c", "bigint", null=True, default="7"),
    "serial": Column("c", "integer", serial=True),
    "big serial": Column("c", "bigint", serial=True),
    "identity": Column("c", "smallint", identity="always"),
    "big identity": Column("c", "bigint", identity="by default"),
    "text": Column("c", "text", collation='"C"', default="'1'::text", comment="x"),
    "short text": Column("c", "varchar(9)", null=True, comment="it's"),
    "numeric": Column("c", "numeric(5, 2)", default="0"),
    "float": Column("c", "double precision", null=True),
    "enum": Column("c", "digit", default="'1'::digit"),
    "JSON": Column("c", "jsonb"),
    "generated": Column("c", "integer", null=True, generated="length((name)::text)"),
}


@pytest.mark.acceptance
@pytest.mark.parametrize("online", [False, True], ids=["at once", "online"])
@pytest.mark.parametrize("old", COLUMNS)
def test_any_column_becomes_any_other(connection, old, online):
    enum = EnumType("digit", ("1", "1.00", "x"))
    one = COLUMNS[old]
    for new, two in COLUMNS.items():
        if new == old:
            continue
        states = []
        for column in (one, two):
            empty(connection)
            run(connection, [CreateEnum(enum), CreateTable(users(column))])
            states.append(read_rows(connection))
        empty(connection)
        run(connection, [CreateEnum(enum), CreateTable(users(one))])
        filled = one.serial or one.identity or one.generated
        given = ("name", "'a'") if filled else ("name, c", "'a', '1'")
        connection.execute(f"INSERT INTO users ({given[0]}) VALUES ({given[1]})")
        operation = AlterColumn("users", one, two)

        run(connection, [operation], online)
        assert read_rows(connection) == states[1], new

        run(connection, [operation.reverse()], online)
        assert read_rows(connection) == states[0], new


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "migration-operations.md"


def test_the_page_of_operations_lists_them_with_their_arguments():
    listed = re.findall(r"^\| `(\w+)\(([\w, ]+)\)`", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    found = {
        name: ", ".join(each.name for each in fields(value))
        for name, value in vars(operations).items()
        if name in operations.__all__
    }

    assert dict(listed) == found


def test_the_example_of_the_page_runs_there_and_back(connection):
    (text,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    file = {}
    exec(compile(text, str(PAGE), "exec"), file)
    table = users(
        Column("nick", "text", null=True),
        Column("age", "text", null=True),
        Column("city_id", "integer", null=True),
    )
    run(connection, [CreateTable(CITIES), CreateTable(table)])
    before = read_rows(connection)
    connection.execute("INSERT INTO users (name, age) VALUES ('Ada', ''), ('Bob', '7')")

    run(connection, file["operations"], online=not file["atomic"])

    query = "SELECT low || age || sex FROM users ORDER BY 1"
    assert first_values(connection, query) == ["ada1", "bob8"]

    run(connection, reverse(file["operations"]), online=not file["atomic"])

    assert read_rows(connection) == before

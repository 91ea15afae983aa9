import asyncpg
import pytest

from msframework.db import translate
from msframework.db.errors import TRANSLATIONS, shown_argument, shows
from msframework.exceptions import (
    Conflict,
    ConstraintConflict,
    ConstraintViolation,
    DatabaseUnavailable,
)

SECRET = "s3cret-value"
TABLES = """
DROP TABLE IF EXISTS child, parent CASCADE;
CREATE TABLE parent (id int PRIMARY KEY, name text CONSTRAINT parent_name NOT NULL,
  CONSTRAINT parent_lower CHECK (lower(name) = name));
CREATE UNIQUE INDEX parent_unique ON parent (lower(name), id);
CREATE UNIQUE INDEX parent_name_only ON parent (name);
CREATE TABLE child (parent_id int CONSTRAINT child_parent REFERENCES parent,
  code varchar(3), amount numeric(4, 2), span int4range,
  CONSTRAINT child_span EXCLUDE USING gist (span WITH &&));
INSERT INTO parent VALUES (1, 's3cret-value');
INSERT INTO child (parent_id, span) VALUES (1, '[1,5)');
"""


@pytest.fixture
async def tables(admin):
    await admin.execute(TABLES)


async def failure_of(db, sql, *args):
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError)) as caught:
        async with db.transaction() as cur:
            await cur.execute(sql, *args)
    return caught.value


@pytest.mark.parametrize(
    ("sql", "kind", "status", "violated", "constraint", "columns"),
    [
        ("INSERT INTO parent VALUES (2, 's3cret-value')", ConstraintConflict, 409, "unique",
         "parent_name_only", ["name"]),
        ("INSERT INTO parent VALUES (1, 'x')", ConstraintConflict, 409, "unique",
         "parent_pkey", ["id"]),
        ("INSERT INTO child VALUES (99)", ConstraintConflict, 409, "foreign key",
         "child_parent", ["parent_id"]),
        ("DELETE FROM parent WHERE id = 1", ConstraintConflict, 409, "foreign key",
         "child_parent", ["id"]),
        ("INSERT INTO child (span) VALUES ('[2,3)')", ConstraintConflict, 409, "exclusion",
         "child_span", ["span"]),
        ("INSERT INTO parent VALUES (3, NULL)", ConstraintViolation, 422, "not null",
         None, ["name"]),
        ("INSERT INTO parent VALUES (3, 'S3cret-value')", ConstraintViolation, 422, "check",
         "parent_lower", []),
    ],
)  # fmt: skip
async def test_a_violated_constraint_is_named_without_its_values(
    db, tables, sql, kind, status, violated, constraint, columns
):
    exc = await failure_of(db, sql)
    answer = translate(exc)

    assert type(answer) is kind
    assert answer.status_code == status
    assert answer.constraint == constraint
    assert answer.error == {"violated": violated, "constraint": constraint, "columns": columns}
    assert "DETAIL" not in str(exc)
    assert SECRET not in str(answer.error)
    assert SECRET not in repr(exc)


async def test_the_columns_of_an_index_on_expressions_are_named(db, tables, admin):
    await admin.execute(
        "DROP INDEX parent_name_only; ALTER TABLE parent DROP CONSTRAINT parent_pkey CASCADE"
    )
    answer = translate(await failure_of(db, "INSERT INTO parent VALUES (1, 's3cret-value')"))

    assert answer.error["columns"] == ["lower(name)", "id"]


async def test_columns_are_named_without_the_quotes_of_sql(db, admin):
    await admin.execute(
        "DROP TABLE IF EXISTS quoted;"
        'CREATE TABLE quoted ("position" int, "one, ""two" int, plain int);'
        'CREATE UNIQUE INDEX ON quoted ("position", "one, ""two", coalesce(plain, 0))'
    )

    answer = translate(await failure_of(db, "INSERT INTO quoted VALUES (1, 1, 1), (1, 1, 1)"))

    assert answer.error["columns"] == ["position", 'one, "two', "COALESCE(plain, 0)"]


async def test_a_service_may_have_an_exception_of_its_own_for_a_constraint(db, tables):
    class NameTaken(Conflict):
        code = 12003

    exc = await failure_of(db, "INSERT INTO parent VALUES (2, 's3cret-value')")

    assert type(translate(exc, {"parent_name_only": NameTaken})) is NameTaken
    assert type(translate(exc, {"other": NameTaken})) is ConstraintConflict


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO child (code) VALUES ('s3cret-value')",
        "INSERT INTO child (amount) VALUES (1000)",
        "SELECT 's3cret-value'::int",
        "SELECT 1 / 0",
        "SELECT ('2020-13-01')::date",
        r"SELECT '\u0000'::jsonb",
    ],
)
async def test_a_value_that_does_not_fit_is_unprocessable(db, tables, sql):
    answer = translate(await failure_of(db, sql))

    assert answer.status_code == 422
    assert SECRET not in str(answer.error)


@pytest.mark.parametrize(
    ("cast", "value"),
    [
        ("int", 2**40),
        ("text", "s3cret-value\ud800"),
        ("uuid", "s3cret-value"),
        ("numeric", "s3cret-value"),
        ("inet", "s3cret-value"),
    ],
)
async def test_an_argument_that_does_not_fit_is_unprocessable(db, tables, cast, value):
    exc = await failure_of(db, f"SELECT $1::text, $2::{cast}", "x", value)
    answer = translate(exc)

    assert answer.status_code == 422
    assert answer.error == "a value does not fit its column"
    assert shows(shown_argument(exc), value)
    assert not shows(shown_argument(exc), "x")


async def test_a_nul_in_a_text_is_unprocessable(db, tables):
    assert translate(await failure_of(db, "SELECT $1::text", "a\0b")).status_code == 422


@pytest.mark.parametrize(
    "sql",
    ["SELEC 1", "SELECT nothing_like_this", "SELECT * FROM nowhere", "SELECT f(1)", "SET x TO 1"],
)
async def test_a_mistake_of_ours_is_no_answer_and_its_sql_is_noted(db, tables, sql):
    exc = await failure_of(db, sql)

    assert translate(exc) is None
    assert sql in "".join(exc.__notes__)


@pytest.mark.parametrize(
    "state",
    ["40001", "40P01", "55P03", "57014", "57P01", "53300", "08006", "25P03"],
)
async def test_trouble_that_passes_is_unavailable_with_a_time_to_retry(db, tables, state):
    exc = asyncpg.PostgresError.new({"C": state, "M": "s3cret-value"})
    answer = translate(exc)

    assert type(answer) is DatabaseUnavailable
    assert answer.headers["Retry-After"]
    assert answer.error is None


async def test_permission_is_a_fault_of_ours(db, tables, admin):
    await admin.execute("DROP ROLE IF EXISTS nobody_at_all; CREATE ROLE nobody_at_all")
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError) as caught:
            async with db.transaction() as cur:
                await cur.execute("SET LOCAL ROLE nobody_at_all")
                await cur.execute("DELETE FROM parent")
    finally:
        await admin.execute("DROP ROLE nobody_at_all")

    assert translate(caught.value) is None


@pytest.mark.parametrize(
    ("cast", "value", "said"),
    [
        ("int", "s3cret-value", "'str' object cannot be interpreted as an integer"),
        ("text", 5, "expected str, got int"),
        ("date", "2020-01-01", "'str' object has no attribute 'toordinal'"),
        ("jsonb", object(), "not JSON serializable"),
    ],
)
async def test_a_wrong_python_type_names_the_parameter_and_not_the_value(
    db, tables, cast, value, said
):
    with pytest.raises(TypeError) as caught:
        async with db.acquire() as cur:
            await cur.fetchval(f"SELECT $1::text, $2::{cast}", "x", value)

    assert str(caught.value).startswith("parameter $2: ")
    assert said in str(caught.value)
    assert SECRET not in str(caught.value)
    assert caught.value.__suppress_context__


async def test_other_exceptions_are_not_the_database_s():
    assert translate(KeyError("x")) is None
    assert translate(TimeoutError()) is None


async def test_an_outdated_type_is_unavailable():
    assert type(translate(asyncpg.OutdatedSchemaCacheError("x"))) is DatabaseUnavailable


async def test_the_detail_can_still_be_read_on_purpose(db, tables):
    exc = await failure_of(db, "INSERT INTO parent VALUES (2, 's3cret-value')")

    assert not exc.detail
    assert str.__str__(exc.detail) == "Key (name)=(s3cret-value) already exists."
    assert repr(exc.detail) == "Hidden()"


@pytest.mark.parametrize("row", TRANSLATIONS, ids=lambda row: row.kind)
async def test_each_state_of_the_table_is_answered_as_it_says(row):
    for state in row.states:
        code = state if len(state) == 5 else f"{state}000"
        answer = translate(asyncpg.PostgresError.new({"C": code, "M": "s3cret-value"}))

        assert type(answer) is row.answer
        assert SECRET not in str(answer.error)
        assert "$" not in str(answer.error)


async def test_a_text_too_long_for_an_index_is_unprocessable(db, tables):
    text = "".join(chr(0x4E00 + number) for number in range(9000))
    exc = await failure_of(db, "INSERT INTO parent VALUES (5, $1)", text)
    answer = translate(exc)

    assert exc.sqlstate == "54000"
    assert (answer.status_code, answer.error) == (422, "a value is too large")


@pytest.mark.parametrize(
    ("shown", "name"),
    [('"user"', "user"), ('"a ""b"', 'a "b'), ("id", "id"), ('lower("a") || "b"',) * 2],
)
def test_a_column_is_named_without_the_quotes_of_an_identifier(shown, name):
    exc = asyncpg.UniqueViolationError("no")
    exc.sqlstate, exc.detail = "23505", f"Key ({shown})=(1) already exists."

    assert translate(exc).error["columns"] == [name]

"""What is said about a change of type is what PostgreSQL does with the values."""

import itertools

import psycopg
import pytest

from msframework.migrations.conversions import conversion

SAMPLES = {
    "smallint": ("0", "1", "-32768"),
    "integer": ("0", "1", "2147483647"),
    "bigint": ("0", "1", "9007199254740993"),
    "numeric": ("0", "1.5", "123456789012345678901.25"),
    "numeric(10, 2)": ("0", "1.25", "12345678.99"),
    "numeric(10, 4)": ("0", "1.2575", "123456.9999"),
    "numeric(6)": ("0", "7", "999999"),
    "real": ("0", "1.5", "0.25"),
    "double precision": ("0", "1.5", "0.1", "1e300"),
    "boolean": ("true", "false"),
    "text": ("1", "true", "2024-05-06", "ää", "a long text of many words"),
    "varchar": ("1", "two"),
    "varchar(5)": ("1", "abcde", "a  "),
    "varchar(20)": ("1", "abcdefghij"),
    "char(5)": ("1", "abc"),
    "date": ("2024-05-06", "0001-01-01"),
    "timestamp": ("2024-05-06 07:08:09.123456",),
    "timestamptz": ("2024-05-06 07:08:09.123456+02",),
    "time": ("07:08:09.123456",),
    "interval": ("1 day 02:00:00", "3 mons"),
    "uuid": ("6ba7b810-9dad-11d1-80b4-00c04fd430c8",),
    "bytea": ("\\x00ff", "\\x6ba7b8109dad11d180b400c04fd430c8"),
    "json": ('{"b": 1,  "a": 2}',),
    "jsonb": ('{"b": 1, "a": 2}', "1"),
    "integer[]": ("{1,2}", "{}"),
    "varchar(20)[]": ("{ab,cdefghijkl}",),
    "text[]": ("{ab}",),
}


def quoted(text):
    return "'" + text.replace("'", "''") + "'"


PAIRS = list(itertools.permutations(SAMPLES, 2))


def changed(connection, old, new, sample):
    """Change the type of a column that holds *sample*; return how its text differs, or `None`."""
    using = conversion(old, new).using
    text = f" USING {using.format(column='c')}" if using else ""
    connection.execute(f"CREATE TEMPORARY TABLE t (c {old}) ON COMMIT DROP")
    connection.execute(f"INSERT INTO t VALUES ({quoted(sample)}::{old})")
    before = value(connection, old, new)
    connection.execute(f"ALTER TABLE t ALTER c TYPE {new}{text}")
    after = value(connection, old, new)
    return None if before == after else (before, after)


def is_text(kind):
    return kind.startswith(("text", "varchar", "char"))


def value(connection, old, new):
    """The value of the column in a form in which both types write the same value the same way."""
    (text,) = connection.execute("SELECT c::text FROM t").fetchone()
    kinds = {old.partition("(")[0].partition("[")[0], new.partition("(")[0].partition("[")[0]}
    if old.endswith("[]") is not new.endswith("[]"):
        return ""  # one of the two is the other's element, or its JSON
    if "boolean" in kinds:
        return {"true": "1", "false": "0", "t": "1", "f": "0"}.get(text, text)
    if kinds & {"numeric", "real", "double precision"}:
        (number,) = connection.execute(
            "SELECT trim_scale(c::text::numeric)::text FROM t"
        ).fetchone()
        return number
    if kinds == {"uuid", "bytea"}:
        return text.replace("-", "").removeprefix("\\x")
    if "date" in kinds or kinds == {"timestamp", "timestamptz"}:
        return text.removesuffix("+00").removesuffix(" 00:00:00")
    return text


@pytest.fixture(scope="module")
def connection(server_url):
    with psycopg.connect(server_url) as connection:
        connection.execute("SET TIME ZONE 'UTC'")
        connection.commit()
        yield connection


def test_every_change_of_type_does_what_is_said_about_it(connection):
    wrong = []
    for old, new in PAIRS:
        effect = conversion(old, new).effect
        outcomes = []
        if effect == "unknown":
            continue
        for sample in SAMPLES[old]:
            try:
                outcomes.append(changed(connection, old, new, sample))
            except psycopg.Error as exc:
                outcomes.append(exc)
            connection.rollback()
        failed = [each for each in outcomes if isinstance(each, psycopg.Error)]
        differ = [each for each in outcomes if each is not None and each not in failed]
        if effect == "kept" and (failed or differ):
            wrong.append((old, new, effect, [str(e).splitlines()[0] for e in failed], differ))
        if effect == "checked" and differ and not is_text(old):
            wrong.append((old, new, effect, differ))
        if effect == "lossy" and len(failed) == len(outcomes):
            wrong.append((old, new, effect, [str(e).splitlines()[0] for e in failed]))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize(
    ("old", "new", "effect", "using"),
    [
        ("varchar(20)", "varchar(5)", "checked", None),
        ("varchar(5)", "varchar(20)", "kept", None),
        ("varchar(5)", "text", "kept", None),
        ("integer", "bigint", "kept", None),
        ("bigint", "integer", "checked", None),
        ("numeric(10, 2)", "numeric(12, 2)", "kept", None),
        ("numeric(10, 2)", "numeric(10, 1)", "lossy", None),
        ("numeric(10, 2)", "numeric(8, 2)", "checked", None),
        ("text", "integer", "checked", "{column}::integer"),
        ("timestamp", "timestamptz", "kept", "{column} AT TIME ZONE 'UTC'"),
        ("timestamptz", "date", "lossy", "({column} AT TIME ZONE 'UTC')::date"),
        ("integer", "uuid", "unknown", None),
        ("text", "text", "kept", None),
        ("mood", "text", "kept", None),
        ("text", "mood", "checked", "{column}::mood"),
        ("text", "text[]", "kept", "ARRAY[{column}]::text[]"),
    ],
)
def test_a_change_of_type_keeps_checks_or_loses_values(old, new, effect, using):
    assert conversion(old, new).effect == effect
    assert conversion(old, new).using == using

import psycopg
import pytest

from msframework.migrations.types import canonical

SPELLINGS = {
    "INT": "integer",
    "int4[]": "integer[]",
    "INT[][]": "integer[]",
    "integer ARRAY[3]": "integer[]",
    "text array": "text[]",
    "int8": "bigint",
    "pg_catalog.int2": "smallint",
    "BOOL": "boolean",
    "VARCHAR(128)": "varchar(128)",
    "character varying(128)[]": "varchar(128)[]",
    "varchar": "varchar",
    "national character varying(3)": "varchar(3)",
    "CHAR": "char(1)",
    "bpchar(64)": "char(64)",
    "bpchar": "bpchar",
    '"char"': '"char"',
    "NUMERIC(10,5)": "numeric(10, 5)",
    "decimal(10)": "numeric(10, 0)",
    "numeric(3, -2)": "numeric(3, -2)",
    "numeric": "numeric",
    "FLOAT": "double precision",
    "float(24)": "real",
    "float(25)": "double precision",
    "float4": "real",
    "timestamp with time zone": "timestamptz",
    "timestamp(3) with time zone": "timestamptz(3)",
    "TIMESTAMP": "timestamp",
    "time(2) without time zone": "time(2)",
    "TIMETZ": "timetz",
    "interval day to second(3)": "interval day to second(3)",
    "bit": "bit(1)",
    "bit varying(3)[]": "varbit(3)[]",
    "JSONB": "jsonb",
    "TSVECTOR": "tsvector",
    "BYTEA": "bytea",
    "uuid /* a key */": "uuid",
}


@pytest.mark.parametrize("text", SPELLINGS)
def test_a_type_has_one_spelling(text):
    assert canonical(text) == SPELLINGS[text]
    assert canonical(SPELLINGS[text]) == SPELLINGS[text]


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('"citext"', "citext"),
        ('"Mood"[]', '"Mood"[]'),
        ('shop."Mood"', 'shop."Mood"'),
        ("Shop.Mood", "shop.mood"),
        ("geometry(Point,4326)", "geometry(Point, 4326)"),
    ],
)
def test_a_type_that_is_not_known_keeps_its_name(text, name):
    assert canonical(text) == name


def test_postgresql_spells_each_as_we_read_it(server_url):
    texts = list(SPELLINGS)
    columns = ", ".join(f"c{number} {text}" for number, text in enumerate(texts))
    with psycopg.connect(server_url) as connection:
        connection.execute(f"CREATE TEMPORARY TABLE spelled ({columns})")
        rows = connection.execute(
            "SELECT format_type(atttypid, atttypmod) FROM pg_attribute "
            "WHERE attrelid = 'spelled'::regclass AND attnum > 0 ORDER BY attnum"
        ).fetchall()

    assert [canonical(found) for (found,) in rows] == [SPELLINGS[text] for text in texts]

"""Tables -> models -> the same tables: what is printed says all that was read."""

import re
import sys
import types
from dataclasses import replace

import pytest

from msframework.migrations import declared, difference
from msframework.migrations.catalog import find_adopted, read_schema
from msframework.migrations.connection import connect
from msframework.migrations.model_source import render_models
from msframework.models import Model
from tests.migrations.pg_catalog import create_by_peewee
from tests.migrations.random_models import make_models
from tests.migrations.support import own_database


@pytest.fixture(scope="module")
def shared_database(server_url):
    with own_database(server_url, "inspected") as url:
        database = connect(url)
        database.connect()
        yield database
        database.close()


@pytest.fixture
def database(shared_database):
    """A database that is empty again after each test."""
    with shared_database.atomic() as transaction:
        yield shared_database
        transaction.rollback()


@pytest.fixture
def load(monkeypatch):
    """Reads the text of a module, and gives its models."""

    def run(text):
        module = types.ModuleType("printed_models")
        monkeypatch.setitem(sys.modules, "printed_models", module)
        exec(compile(text, "printed_models.py", "exec"), module.__dict__)
        found = [each for each in vars(module).values() if isinstance(each, type)]
        return [each for each in found if issubclass(each, Model) and each is not Model]

    return run


class NoAnswers:
    """Is never asked."""

    def end_renames(self):
        pass


TYPES = [
    *("bigint", "boolean", "bytea", "date", "double precision", "integer", "json", "jsonb"),
    *("smallint", "text", "time", "time(3)", "timetz", "timestamp", "timestamp(0)", "timestamptz"),
    *("timestamptz(3)", "uuid", "varchar", "varchar(20)", "char(3)", "char", "numeric"),
    *("numeric(5, 2)", "numeric(7)", "real", "interval", "interval(2)", "inet", "cidr", "macaddr"),
    *("bit(3)", "varbit(5)", "money", "xml", "tsvector", "tsquery", "point", "int4range", "name"),
    *("integer[]", "varchar(5)[]", "numeric(5, 2)[]", "inet[]", "text[][]", "jsonb[]"),
]
DDL = {
    "arguments": """
        CREATE TABLE people (
            id bigserial PRIMARY KEY,
            email varchar(40) COLLATE "C" NOT NULL UNIQUE,
            age int DEFAULT 5 + 2 NOT NULL CHECK (age > 0) CHECK (age < 200),
            state varchar(8) DEFAULT 'it''s 100%' CHECK (state LIKE 'a%' OR state = E'b\\\\n'),
            fine bool DEFAULT (1 = 1 AND 2 IN (1, 2)),
            size int GENERATED ALWAYS AS (age * 2) STORED,
            CONSTRAINT "All Good" CHECK (age > 3 AND state <> ''),
            CHECK (age <> 13 OR state <> 'x'),
            UNIQUE (age, email), CONSTRAINT once UNIQUE (state)
        );
        COMMENT ON TABLE people IS 'All "people", it''s \\ said';
        COMMENT ON COLUMN people.age IS 'in years, 100%';
    """,
    "circles": """
        CREATE TABLE a (id serial PRIMARY KEY, b_id int, c int, self_id int REFERENCES a);
        CREATE TABLE b (id serial PRIMARY KEY, a_id int NOT NULL REFERENCES a ON DELETE CASCADE);
        CREATE TABLE c (id serial PRIMARY KEY, b_id int CONSTRAINT named REFERENCES b
                        ON UPDATE SET NULL DEFERRABLE INITIALLY DEFERRED);
        ALTER TABLE a ADD FOREIGN KEY (b_id) REFERENCES b DEFERRABLE,
            ADD CONSTRAINT fk_a_c_refs_c FOREIGN KEY (c) REFERENCES c;
        CREATE INDEX a_c ON a (c);
        CREATE UNIQUE INDEX b_a_id ON b (a_id);
    """,
    "composite keys": """
        CREATE TABLE pairs (y int, x int, "order" text, PRIMARY KEY (x, y), UNIQUE ("order", x));
        CREATE TABLE members (
            px int, py int, word text, PRIMARY KEY (py, px),
            FOREIGN KEY (px, py) REFERENCES pairs ON DELETE SET NULL (px),
            FOREIGN KEY (word, px) REFERENCES pairs ("order", x) ON DELETE RESTRICT
        );
        CREATE TABLE heirs (id int PRIMARY KEY, FOREIGN KEY (id) REFERENCES heirs (id));
    """,
    "enums": """
        CREATE SCHEMA shop;
        CREATE TYPE mood AS ENUM ('sad', 'half-fine', 'half fine', '2nd');
        CREATE TYPE shop.order_state AS ENUM ('open', 'closed');
        CREATE TYPE shop.odd AS ENUM ('');
        CREATE TABLE moods (
            mood mood PRIMARY KEY DEFAULT 'sad', m mood[], s shop.order_state, o shop.odd
        );
        CREATE TABLE shop.order_states (mood mood NOT NULL REFERENCES moods);
    """,
    "foreign keys that are no fields": """
        CREATE TABLE t (id bigserial PRIMARY KEY, name varchar(3) UNIQUE, number serial UNIQUE);
        CREATE TABLE u (
            a int REFERENCES t, b varchar(3) REFERENCES t (name), c int REFERENCES t (number),
            d varchar(5) REFERENCES t (name), e bigint REFERENCES t REFERENCES t (id)
        );
    """,
    "identity and sequences": """
        CREATE TABLE a (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, s smallserial);
        CREATE TABLE b (id int GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, s serial);
        CREATE TABLE c (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, s bigserial);
        CREATE TABLE d (id smallserial PRIMARY KEY, a int REFERENCES a, c_id bigint REFERENCES c);
        CREATE SEQUENCE free;
        CREATE TABLE e (id int DEFAULT nextval('free'));
    """,
    "indexes": """
        CREATE TABLE t (id int PRIMARY KEY, a int, b text, c jsonb, d int[], e tsvector, f int[]);
        CREATE INDEX t_a ON t (a);
        CREATE UNIQUE INDEX t_b ON t (b);
        CREATE INDEX t_a_b ON t (a, b);
        CREATE UNIQUE INDEX t_b_a ON t (b, a);
        CREATE INDEX t_id ON t (id);
        CREATE INDEX t_c ON t USING gin (c);
        CREATE INDEX t_d ON t USING gin (d);
        CREATE INDEX t_f ON t USING btree (f);
        CREATE INDEX t_f_a ON t (f, a);
        CREATE INDEX e ON t USING gin (e) WITH (fastupdate = off, gin_pending_list_limit = 99);
        CREATE INDEX by_hand ON t (a);
        CREATE INDEX "t order" ON t (a DESC, b COLLATE "C" text_pattern_ops NULLS FIRST);
        CREATE INDEX t_expr ON t ((a + 1), lower(b)) INCLUDE (c) WHERE a > 5 AND b LIKE '100%';
        CREATE UNIQUE INDEX t_null ON t (a) NULLS NOT DISTINCT WITH (fillfactor = 70);
        CREATE INDEX t_path ON t USING gin (c jsonb_path_ops);
        CREATE INDEX t_hash ON t USING hash (b);
        CREATE INDEX t_brin ON t USING brin (a, id) WITH (pages_per_range = 4);
        ALTER TABLE t ADD EXCLUDE USING gist (int4range(a, id) WITH &&) WHERE (a > 0);
    """,
    "names": """
        CREATE SCHEMA shop;
        CREATE TABLE "Order Lines" (
            "select" int, "class" int, "a""b" int, "2fa" int, save int, "_meta" int, "Ünder" int,
            "a-b" int, a_b int, id int PRIMARY KEY, "None" int, "Name" int, name int, "" "" int
        );
        CREATE TABLE model (id serial PRIMARY KEY, model int, model_id int REFERENCES model);
        CREATE TABLE "none" (author int, author_id int, author_id_id int);
        ALTER TABLE "none" ADD FOREIGN KEY (author) REFERENCES model,
            ADD FOREIGN KEY (author_id) REFERENCES model;
        CREATE TABLE "123" (a int);
        CREATE TABLE orders (id serial PRIMARY KEY);
        CREATE TABLE shop.orders (id serial PRIMARY KEY, orders_id int REFERENCES orders);
        CREATE TABLE shop_orders (id int REFERENCES shop.orders, "SQL" int, "integerfield" int);
        CREATE TABLE empty ();
    """,
    "signs of per cent in names": """
        CREATE TABLE t ("%" int CHECK ("%" > 0), "a%b" int);
        CREATE INDEX "12%3" ON t ("a%b");
    """,
    "storage": """
        CREATE TABLE logs (at date NOT NULL, n int) PARTITION BY RANGE (at);
        CREATE TABLE logs_2024 PARTITION OF logs FOR VALUES FROM ('2024-01-01') TO ('2025-01-01');
        CREATE TABLE filled (a int) WITH (fillfactor = 50, autovacuum_enabled = off);
    """,
    "types": f"CREATE TABLE t ({', '.join(f'c{n} {t}' for n, t in enumerate(TYPES))})",
    "types with values": f"""
        CREATE DOMAIN positive AS int CHECK (VALUE > 0);
        CREATE TABLE t ({", ".join(f"c{n} {t} NOT NULL" for n, t in enumerate(TYPES))}, p positive)
    """,
}
DDL["names"] = DDL["names"].replace('"" "" int', '"é e" int')


def run(database, statements):
    database.execute_sql(statements.replace("%", "%%"))


@pytest.mark.parametrize("name", DDL)
def test_models_that_are_printed_say_what_was_read(database, load, name):
    run(database, DDL[name])

    models = load(render_models(read_schema(database)))

    described = declared.describe(models)
    adopted = find_adopted(database, described)
    assert adopted.differences == {}
    assert adopted.missing == ()
    assert difference.find_operations(adopted.state, described, NoAnswers()) == []


# Neither makes partitions, nor puts % into a name that psycopg takes.
NOT_PEEWEES = {"storage", "signs of per cent in names"}


@pytest.mark.parametrize("name", [name for name in DDL if name not in NOT_PEEWEES])
def test_peewee_makes_the_same_tables_of_models_that_are_printed(database, load, name):
    with database.atomic() as transaction:
        run(database, DDL[name])
        read = read_schema(database)
        transaction.rollback()

    models = load(render_models(read))
    run(
        database,
        "".join(re.findall(r"CREATE (?:SCHEMA|TYPE shop.odd|DOMAIN|SEQUENCE) .*?;", DDL[name])),
    )
    create_by_peewee(database, models)

    assert unordered(read_schema(database)) == unordered(read)


def unordered(state):
    """Return all that *state* holds but for comments, in one order."""
    return sorted(
        (
            table.name,
            sorted(repr(replace(column, comment=None)) for column in table.columns),
            sorted(map(repr, table.constraints)),
            sorted(map(repr, table.indexes)),
        )
        for table in state.tables
    )


def test_tables_of_models_at_random_are_printed_whole(database, load):
    with database.atomic() as transaction:
        create_by_peewee(database, list(make_models(1, 6)))
        read = read_schema(database)
        models = load(render_models(read))
        assert find_adopted(database, declared.describe(models)).differences == {}
        transaction.rollback()
    create_by_peewee(database, models)

    assert unordered(read_schema(database)) == unordered(read)

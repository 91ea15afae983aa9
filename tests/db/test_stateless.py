import pytest

from msframework.db.stateless import is_stateless, verb_of
from msframework.models import CharField, IntegerField, Model, fn
from msframework.models.sql import render

STATELESS = [
    "SELECT 1",
    "EXPLAIN (FORMAT JSON) SELECT lower(name) FROM users WHERE id = $1",
    "select * from users where id = $1;",
    "SELECT count(*) FROM users",
    "(SELECT id FROM users WHERE id > $1) UNION ALL (SELECT 1) ORDER BY id LIMIT 5",
    "SELECT count(*) FROM users u",
    "SELECT pg_catalog.lower(name) FROM users",
    "SELECT a.b, (a).c FROM a WHERE x IN ($1, $2) AND NOT (y) OR (z) = ANY($3)",
    "SELECT coalesce(max(x), 0), CAST(y AS numeric(10, 2)), z::varchar(20) FROM t",
    "SELECT sum(x) OVER (PARTITION BY y ORDER BY z) FROM t WINDOW w AS (ORDER BY (z))",
    "SELECT count(*) FILTER (WHERE x > 1) FROM t GROUP BY (y) HAVING (count(*)) > 1",
    "SELECT x FROM t GROUP BY GROUPING SETS ((a), (b)), ROLLUP (c), CUBE (d)",
    "SELECT * FROM a JOIN (SELECT 1) AS b ON (a.x = b.x) LEFT JOIN LATERAL (SELECT 2) c USING (y)",
    "SELECT * FROM generate_series(1, 3) AS g(i)",
    "SELECT 'set_config(''a'', ''b'')' -- set_config('a', 'b')\n",
    "SELECT /* pg_advisory_lock(1) */ 1",
    "SELECT $$pg_advisory_lock(1); SET x = 1$$, $a$ it's $a$",
    'SELECT "set", "odd "" name" FROM "into"',
    "SELECT x LIKE (y), x IS (NULL), x NOT ILIKE (z) FROM t",
    "INSERT INTO users (name, email) VALUES ($1, $2) RETURNING id",
    'INSERT INTO "public"."users" ("name") VALUES ($1), (DEFAULT)',
    "INSERT INTO users AS u (name) SELECT (x) FROM t",
    "INSERT INTO t (a) VALUES (1) ON CONFLICT (a) DO UPDATE SET b = (excluded.b) WHERE (t.b > 1)",
    "UPDATE users SET name = upper($1) WHERE id = $2",
    "DELETE FROM users USING (SELECT 1) x WHERE (id) = 1",
    "MERGE INTO t USING s ON (t.id = s.id) WHEN MATCHED THEN UPDATE SET a = (1)",
    "VALUES (1, 2), (3, 4)",
    "WITH x AS (SELECT 1), y AS MATERIALIZED (SELECT 2) SELECT * FROM x, y",
    "WITH RECURSIVE tree (id) AS (SELECT 1 UNION SELECT id + 1 FROM tree) SELECT * FROM tree",
    "WITH gone AS (DELETE FROM a RETURNING *) INSERT INTO b SELECT * FROM gone",
    "SELECT (x).y[1], array[(1)], CASE WHEN (a) THEN (b) ELSE (c) END FROM t",
    "SELECT x FROM t FOR UPDATE SKIP LOCKED",
    "SELECT 1.5, .5, 1e10, N'x', x ->> 'a', x @> $1 FROM t",
    "SELECT extract(epoch FROM now()), substring(x FROM 2), trim(BOTH FROM y), position('a' IN b)",
]
STATEFUL = [
    "",
    "SET search_path TO x",
    "SET LOCAL x.y = 1",
    "RESET ALL",
    "LISTEN x",
    "BEGIN",
    "COMMIT",
    "PREPARE TRANSACTION 'x'",
    "PREPARE x AS SELECT 1",
    "DECLARE c CURSOR FOR SELECT 1",
    "CREATE TEMP TABLE x (a int)",
    "COPY x FROM STDIN",
    "LOAD 'x'",
    "DO $$ BEGIN END $$",
    "CALL x()",
    "EXPLAIN ANALYZE SELECT set_config('a', 'b', false)",
    "TABLE x",
    "SELECT 1; SET x = 1",
    "SELECT 1; SELECT 2",
    "SELECT set_config('a.b', 'c', false)",
    "SELECT SET_CONFIG('a.b', 'c', false)",
    "SELECT \"set_config\"('a.b', 'c', false)",
    "SELECT pg_catalog.set_config('a.b', 'c', false)",
    "SELECT pg_advisory_lock(1)",
    "SELECT pg_advisory_lock /* x */ (1)",
    "SELECT pg_advisory_lock -- x\n (1)",
    "SELECT 1 WHERE pg_try_advisory_lock(1)",
    "SELECT setseed(0.5)",
    "EXPLAIN (FORMAT JSON) SELECT my_function($1)",
    "EXPLAIN (FORMAT JSON, ANALYZE) SELECT 1",
    "EXPLAIN SELECT 1",
    "SELECT my_function($1)",
    "SELECT audit.lower(name) FROM users",
    "SELECT a.pg_catalog.lower(name) FROM users",
    "SELECT * INTO TEMP x FROM y",
    "SELECT query_to_xml('SET x = 1', true, true, '')",
    "SELECT dblink_connect('x')",
    "WITH x AS (SELECT pg_advisory_lock(1)) SELECT * FROM x",
    "WITH a AS (SELECT 1), f(x) AS (SELECT 1) SELECT * FROM f(1)",
    "UPDATE t SET x = set_config('a', 'b', false)",
    "INSERT INTO t (a) VALUES (set_config('a', 'b', false))",
    "INSERT INTO t (a) VALUES (1) ON CONFLICT (my_function(a)) DO NOTHING",
    # Words of the grammar, where they can only be functions of the user's.
    "SELECT by(1)",
    "SELECT conflict(1)",
    "SELECT over(1)",
    "SELECT filter(1)",
    "(SELECT f(1)) UNION ALL (SELECT 1)",
    "(SELECT 1 INTO x)",
    "(",
    "SELECT materialized(1)",
    "SELECT sets(1)",
    "SELECT rollup(1)",
    "SELECT 1, rollup.f(1)",
    "SELECT join(1)",
    "SELECT 1 + to(1)",
    'SELECT "values"(1)',
    # What the reader of the text doesn't understand.
    r"SELECT '\' || set_config('a', 'b', false) --'",
    r"SELECT E'\' || set_config($$a$$, $$b$$, false) --'",
    'SELECT U&"set\\005fconfig"(1)',
    "SELECT /* /* */ set_config('a', 'b', false) -- */ */ 1",
    "SELECT 'unfinished",
    "SELECT {",
]


@pytest.mark.parametrize("sql", STATELESS)
def test_a_plain_statement_is_stateless(sql):
    assert is_stateless(sql)


@pytest.mark.parametrize("sql", STATEFUL)
def test_whatever_may_change_the_session_is_not(sql):
    assert not is_stateless(sql)


class Person(Model):
    name = CharField()
    age = IntegerField()


@pytest.mark.parametrize(
    "query",
    [
        Person.select().where((Person.name == "x") & (Person.age.in_([1, 2]))).order_by(Person.id),
        Person.select(fn.COUNT(Person.id), fn.LOWER(Person.name)).group_by(Person.name),
        Person.insert(name="a", age=1).on_conflict(
            conflict_target=[Person.name], update={Person.age: 2}
        ),
        Person.insert_many([{"name": "a", "age": 1}, {"name": "b", "age": 2}]).returning(Person.id),
        Person.update(age=Person.age + 1).where(Person.id == 1),
        Person.delete().where(Person.id << Person.select(Person.id)),
    ],
)
def test_what_peewee_renders_is_recognised(query):
    sql, _ = render(query)

    assert is_stateless(sql), sql


@pytest.mark.parametrize(
    ("sql", "verb"),
    [
        ("select 1", "SELECT"),
        ("-- why\n/* x */ insert into t", "INSERT"),
        ("(SELECT 1) UNION ALL (SELECT 2)", "SELECT"),
        ("(1)", "SQL"),
        ("", "SQL"),
    ],
)
def test_the_verb_names_the_statement(sql, verb):
    assert verb_of(sql) == verb

import asyncio
from types import SimpleNamespace

import asyncpg
import pytest

from msframework.exceptions import DatabaseUnavailable, PoolExhausted
from msframework.models import CharField, Model
from tests.db.conftest import lend_all


class Item(Model):
    name = CharField()
    note = CharField(null=True)

    class Meta:
        table_name = "items"


@pytest.fixture
async def filled(table, admin):
    await admin.execute("INSERT INTO items (name) SELECT 'n' || i FROM generate_series(1, 5) i")


async def test_rows_are_plain_dicts(db, filled):
    async with db.acquire() as cur:
        rows = await cur.fetch("SELECT id, name FROM items WHERE id < $1 ORDER BY id", 3)
        row = await cur.fetchrow("SELECT id, name FROM items WHERE id = $1", 1)

    assert rows == [{"id": 1, "name": "n1"}, {"id": 2, "name": "n2"}]
    assert type(row) is dict
    row["more"] = 1


async def test_no_row_is_none(db, filled):
    async with db.acquire() as cur:
        assert await cur.fetchrow("SELECT 1 WHERE false") is None
        assert await cur.fetchval("SELECT 1 WHERE false") is None
        assert await cur.record("SELECT 1 WHERE false") is None
        assert await cur.fetch("SELECT 1 WHERE false") == []


async def test_records_are_asyncpg_s(db, filled):
    async with db.acquire() as cur:
        records = await cur.records(Item.select(Item.id).order_by(Item.id).limit(2))
        record = await cur.record(Item.select().where(Item.id == 3))

    assert [tuple(record) for record in records] == [(1,), (2,)]
    assert isinstance(record, asyncpg.Record)
    assert record["name"] == "n3"


async def test_every_method_takes_a_peewee_query(db, filled):
    query = Item.select(Item.id, Item.name).where(Item.id == 2)
    async with db.transaction() as cur:
        assert await cur.fetch(query) == [{"id": 2, "name": "n2"}]
        assert await cur.fetchrow(query) == {"id": 2, "name": "n2"}
        assert await cur.fetchval(query, column=1) == "n2"
        assert await cur.execute(Item.update(note="x").where(Item.id == 2)) == "UPDATE 1"
        assert [row async for row in cur.cursor(query)] == [{"id": 2, "name": "n2"}]
        assert await (await cur.prepare(query)).fetchval(2) == 2


async def test_a_peewee_query_takes_no_arguments_beside_it(db):
    async with db.acquire() as cur:
        with pytest.raises(TypeError, match="give none beside it"):
            await cur.fetch(Item.select(), 1)
        with pytest.raises(TypeError, match="got int: 5"):
            await cur.fetch(5)


async def test_execute_runs_several_statements_without_arguments(db):
    async with db.acquire() as cur:
        status = await cur.execute("INSERT INTO items (name) VALUES ('a'); SELECT 1")

    assert status == "SELECT 1"


async def test_executemany_takes_effect_as_a_whole(db):
    async with db.acquire() as cur:
        await cur.executemany("INSERT INTO items (name) VALUES ($1)", [("a",), ("b",)])
        with pytest.raises(asyncpg.UniqueViolationError):
            await cur.executemany("INSERT INTO items (name) VALUES ($1)", [("c",), ("a",)])
        rows = await cur.fetchmany(
            "INSERT INTO items (name) VALUES ($1) RETURNING name", [("d",), ("e",)]
        )
        count = await cur.fetchval("SELECT count(*) FROM items")

    assert rows == [{"name": "d"}, {"name": "e"}]
    assert count == 4


async def test_a_prepared_statement_runs_again_and_again(db, filled):
    async with db.acquire() as cur:
        statement = await cur.prepare("SELECT id, name FROM items WHERE id = $1")

        assert await statement.fetchrow(1) == {"id": 1, "name": "n1"}
        assert await statement.fetchrow(99) is None
        assert await statement.fetch(2) == [{"id": 2, "name": "n2"}]
        assert await statement.fetchval(3, column=1) == "n3"
        assert await statement.fetchval(99) is None
        assert statement.get_query().startswith("SELECT id")
        assert statement.get_statusmsg() == "SELECT 0"
        assert [item.name for item in statement.get_attributes()] == ["id", "name"]
        assert [item.name for item in statement.get_parameters()] == ["int4"]
        insert = await cur.prepare("INSERT INTO items (name) VALUES ($1)")
        await insert.executemany([("x",), ("y",)])
        assert await cur.fetchval("SELECT count(*) FROM items") == 7

    with pytest.raises(asyncpg.InterfaceError, match="closed"):
        await statement.fetch(1)


async def test_copy_goes_in_and_out(db, tmp_path):
    file = tmp_path / "items.csv"
    async with db.transaction() as cur:
        assert (
            await cur.copy_records_to_table("items", columns=["name"], records=[("a",), ("b",)])
            == "COPY 2"
        )
        await cur.copy_from_query("SELECT name FROM items WHERE name = $1", "a", output=file)
        assert file.read_text() == "a\n"
        await cur.copy_from_query(Item.select(Item.name).where(Item.name == "b"), output=file)
        assert file.read_text() == "b\n"
        await cur.copy_from_table("items", columns=["name"], output=file, format="csv")
        assert file.read_text() == "a\nb\n"
        await cur.execute("DELETE FROM items")
        assert await cur.copy_to_table("items", columns=["name"], source=file) == "COPY 2"


async def test_one_statement_at_a_time(db):
    async with db.acquire() as cur:
        first = asyncio.create_task(cur.fetchval("SELECT pg_sleep(0.05)"))
        await asyncio.sleep(0)
        with pytest.raises(asyncpg.InterfaceError, match="still running"):
            await cur.fetchval("SELECT 1")
        with pytest.raises(asyncpg.InterfaceError, match="still running"):
            await cur.prepare("SELECT 1")
        await first
        assert await cur.fetchval("SELECT 1") == 1


async def test_a_cursor_is_used_inside_of_its_block(db):
    cur = db.acquire()
    with pytest.raises(asyncpg.InterfaceError, match="inside of its"):
        await cur.fetchval("SELECT 1")
    async with cur:
        await cur.fetchval("SELECT 1")
    with pytest.raises(asyncpg.InterfaceError, match="inside of its"):
        await cur.fetchval("SELECT 1")


async def test_a_statement_left_behind_spoils_its_connection_and_no_other(db):
    async with db.acquire() as cur:
        task = asyncio.create_task(cur.fetchval("SELECT pg_sleep(20)"))
        await asyncio.sleep(0.05)
    await lend_all(db, 2)
    with pytest.raises((DatabaseUnavailable, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await task


async def test_a_block_that_ends_while_its_statement_waits_gets_nothing(open_database):
    async with open_database(max_size=1) as db:
        async with db.acquire() as holder:
            await holder.fetchval("SELECT 1")
            async with db.acquire() as cur:
                task = asyncio.create_task(cur.fetchval("SELECT 1"))
                await asyncio.sleep(0)
        with pytest.raises(asyncpg.InterfaceError, match="inside of its"):
            await task
        await lend_all(db, 1)


async def test_a_cancelled_statement_gives_its_connection_back(open_database):
    async with open_database(max_size=1) as db:

        async def work():
            async with db.acquire() as cur:
                await cur.fetchval("SELECT pg_sleep(20)")

        task = asyncio.create_task(work())
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await lend_all(db, 1)


# Streams.


async def test_a_stream_gives_every_row_without_holding_them(db):
    async with db.acquire() as cur:
        rows = cur.cursor("SELECT i FROM generate_series(1, $1) i", 1000, prefetch=10)
        seen = 0
        async for row in rows:
            seen += row["i"]
            assert len(rows._buffer) < 10

    assert seen == 500500


@pytest.mark.parametrize("count", [0, 9, 10, 11])
async def test_a_stream_ends_where_its_rows_end(db, count):
    async with db.transaction() as cur:
        query = f"SELECT generate_series(1, {count}) i"
        assert [row["i"] async for row in cur.cursor(query, prefetch=10)] == list(
            range(1, count + 1)
        )


async def test_an_awaited_stream_is_read_by_hand(db):
    async with db.acquire() as cur:
        rows = await cur.cursor("SELECT generate_series(1, 10) i")
        assert await rows.fetchrow() == {"i": 1}
        assert await rows.fetch(2) == [{"i": 2}, {"i": 3}]
        assert await rows.forward(5) == 5
        assert await rows.fetch(9) == [{"i": 9}, {"i": 10}]
        assert await rows.fetchrow() is None


async def test_a_stream_under_acquire_cannot_write(db):
    async with db.acquire() as cur:
        async for _ in cur.cursor("SELECT 1"):
            pass
        with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
            await cur.execute("INSERT INTO items (name) VALUES ('a')")


@pytest.mark.punctual
async def test_a_stream_that_nobody_reads_is_cut_off(open_database, table):
    async with open_database(max_size=1, cursor_idle_timeout=0.5) as db:
        async with db.acquire() as cur:
            rows = cur.cursor("SELECT generate_series(1, 100)", prefetch=1)
            await anext(rows)
            await lend_all(db, 1)
            with pytest.raises(DatabaseUnavailable) as caught:
                await anext(rows)

    assert "cut off" in caught.value.__notes__[0]


@pytest.mark.punctual
async def test_a_transaction_whose_stream_was_cut_off_does_not_commit(open_database, table):
    async with open_database(max_size=1, cursor_idle_timeout=0.5) as db:
        with pytest.raises(DatabaseUnavailable):
            async with db.transaction() as cur:
                await cur.execute("INSERT INTO items (name) VALUES ('a')")
                await anext(cur.cursor("SELECT generate_series(1, 100)", prefetch=1))
                await lend_all(db, 1)
        async with db.acquire() as cur:
            assert await cur.fetchval("SELECT count(*) FROM items") == 0


async def test_a_stream_needs_room_for_a_row(db):
    async with db.acquire() as cur:
        with pytest.raises(ValueError, match="prefetch is 0"):
            cur.cursor("SELECT 1", prefetch=0)


# Spans.


def spans(tracer):
    return [span for span in tracer.recorder.spans if span.tags.get("component") == "db-execute"]


async def test_a_statement_has_a_span_with_its_text_and_never_its_values(
    open_database, table, tracer
):
    async with open_database(tracer=tracer) as db:
        with tracer.start_active_span("work"):
            async with db.transaction() as cur:
                await cur.fetch("SELECT name FROM items WHERE name <> $1", "secret")
                await cur.execute("INSERT INTO items (name) VALUES ($1)", "secret")
                await cur.fetchrow("SELECT 1 WHERE false")
                await cur.fetchrow("SELECT 1")
                await cur.copy_records_to_table("items", columns=["name"], records=[("x",)])

    found = [(span.operation_name, span.tags.get("db.rows")) for span in spans(tracer)]
    assert found == [
        ("db.select", 0),
        ("db.insert", 1),
        ("db.select", 0),
        ("db.select", 1),
        ("db.copy", 1),
    ]
    insert = spans(tracer)[1]
    assert insert.kind == "client"
    assert insert.tags["db.type"] == "sql"
    assert insert.tags["db.statement"] == "INSERT INTO items (name) VALUES ($1)"
    assert insert.tags["peer.service"] == "postgresql"
    assert "secret" not in str([span.tags for span in spans(tracer)])


@pytest.mark.punctual
async def test_a_span_tells_how_long_its_statement_waited_for_a_connection(open_database, tracer):
    async with open_database(tracer=tracer, max_size=1) as db:

        async def hold():
            async with db.acquire() as cur:
                await cur.fetchval("SELECT pg_sleep(0.1)")

        holder = asyncio.create_task(hold())
        await asyncio.sleep(0.02)
        with tracer.start_active_span("work"):
            async with db.acquire() as cur:
                await cur.fetchval("SELECT 1")
                await cur.fetchval("SELECT 2")
        await holder

    first, second = spans(tracer)
    assert 40_000 < first.tags["db.pool_wait_us"] < 1_000_000
    assert "db.pool_wait_us" not in second.tags
    assert second.tags["db.role"] == "primary"


@pytest.mark.punctual
async def test_the_span_of_a_statement_that_got_no_connection_tells_of_the_wait(
    open_database, tracer
):
    async with open_database(tracer=tracer, max_size=1, acquire_timeout=0.5) as db:
        async with db.acquire() as holder:
            await holder.fetchval("SELECT 1")
            with tracer.start_active_span("work"):
                async with db.transaction() as cur:
                    with pytest.raises(PoolExhausted):
                        await cur.fetchval("SELECT 1")

    [span] = spans(tracer)
    assert span.tags["db.pool_wait_us"] >= 500_000
    assert span.tags["error"] is True


async def test_a_failed_statement_marks_its_span_without_the_text_of_the_server(
    open_database, table, tracer
):
    async with open_database(tracer=tracer) as db:
        with tracer.start_active_span("work"):
            async with db.acquire() as cur:
                await cur.execute("INSERT INTO items (name) VALUES ('secret-1')")
                with pytest.raises(asyncpg.UniqueViolationError):
                    await cur.execute("INSERT INTO items (name) VALUES ($1)", "secret-1")

    failed = spans(tracer)[1]
    assert failed.tags["error"] is True
    assert "DETAIL" not in str(failed.tags)
    assert "secret-1" not in str({**failed.tags, "db.statement": ""})


async def test_arguments_stand_in_spans_when_they_are_asked_for(open_database, tracer):
    async with open_database(tracer=tracer, trace_arguments=True) as db:
        with tracer.start_active_span("work"):
            async with db.acquire() as cur:
                await cur.fetch("SELECT $1::text, $2::int", "shown", 5)
                await cur.prepare("SELECT 1")

    assert spans(tracer)[0].tags["db.arguments"] == "'shown', 5"


async def test_an_argument_that_cannot_be_shown_costs_nothing_else(open_database, tracer):
    class Broken(str):
        def __repr__(self):
            raise ValueError

    async with open_database(tracer=tracer, trace_arguments=True) as db:
        with tracer.start_active_span("work"):
            async with db.acquire() as cur:
                assert await cur.fetchval("SELECT $1::text", Broken("a")) == "a"
                assert await cur.fetchval("SELECT 1") == 1

    assert spans(tracer)[0].tags["db.arguments"] == "<Broken>"


async def test_a_statement_that_is_refused_leaves_no_span(open_database, tracer):
    async with open_database(tracer=tracer) as db:
        with tracer.start_active_span("work"):
            async with db.acquire() as cur:
                pass
            for call in (cur.fetch("SELECT 1"), cur.prepare("SELECT 1")):
                with pytest.raises(asyncpg.InterfaceError):
                    await call

    assert spans(tracer) == []


async def test_statements_are_children_of_the_request_they_are_for(open_database, tracer):
    span = tracer.start_span("get /users")
    request = SimpleNamespace(method="GET", path="/users", span=span, db_state=None)
    async with open_database(tracer=tracer) as db:
        async with db.acquire(request) as cur:
            await cur.fetch("SELECT 1")

    assert spans(tracer)[0].parent_id == span.span_id


@pytest.mark.parametrize("sampled", [0, 1])
async def test_only_what_is_sampled_is_recorded(open_database, tracer, sampled):
    with tracer.start_active_span("work", tags={"sampling.priority": sampled}):
        async with open_database(tracer=tracer) as db:
            async with db.acquire() as cur:
                await cur.fetch("SELECT 1")
            async with db.transaction() as cur:
                await cur.fetch("SELECT 1")

    assert len(spans(tracer)) == 2 * sampled


TWICE = "SELECT 1 AS a, 2 AS b, 3 AS a"


@pytest.mark.parametrize("method", ["fetch", "fetchrow", "table"])
@pytest.mark.parametrize("query", [TWICE, TWICE + " " * 20_000], ids=["kept", "long"])
async def test_columns_that_are_named_alike_are_an_error(db, method, query):
    async with db.acquire() as cur:
        for _ in range(2):
            with pytest.raises(ValueError, match=r"several columns the name 'a'.*with AS"):
                await getattr(cur, method)(query)
        assert await cur.fetchval(query, column=2) == 3
        assert list(await cur.record(query)) == [1, 2, 3]
        assert await cur.fetch("SELECT 1 AS a, 2 AS b") == [{"a": 1, "b": 2}]


async def test_columns_that_are_named_alike_are_an_error_in_streams(db):
    async with db.acquire() as cur:
        with pytest.raises(ValueError, match="'a'"):
            async for _ in cur.cursor(TWICE):
                pass
    async with db.acquire() as cur:
        statement = await cur.prepare(TWICE)
        with pytest.raises(ValueError, match="'a'"):
            await statement.fetchrow()


@pytest.mark.parametrize("count", [32_768, 40_000, 65_536, 100_000])
async def test_too_many_arguments_are_an_error_that_says_what_to_do(db, count):
    query = f"SELECT 1 WHERE 1 IN ({', '.join(f'${n}' for n in range(1, count + 1))})"
    async with db.acquire() as cur:
        for method in ("fetch", "fetchval", "execute", "table"):
            with pytest.raises(ValueError, match=rf"{count} arguments.*32767.*ANY"):
                await getattr(cur, method)(query, *range(count))
        assert await cur.fetchval("SELECT 1") == 1


async def test_a_connection_that_is_given_back_is_free_for_others(open_database):
    async with open_database(max_size=1, min_size=1) as db, db.acquire() as cur:
        assert await cur.fetchval("SELECT 1") == 1

        cur.give_back()

        await lend_all(db, 1)
        cur.give_back()
        assert await cur.fetchval("SELECT 2") == 2


LEFT = {
    "a setting": lambda cur: cur.execute("SET application_name = 'mine'"),
    "a stream": lambda cur: anext(aiter(cur.cursor("SELECT generate_series(1, 3)", prefetch=1))),
    "the connection": lambda cur: cur.connection(),
}


@pytest.mark.parametrize("left", LEFT)
async def test_a_connection_in_which_something_was_left_is_kept(db, left):
    async with db.acquire() as cur:
        await LEFT[left](cur)
        held = cur.conn

        cur.give_back()

        assert cur.conn is held


async def test_a_transaction_keeps_its_connection(db, filled):
    async with db.transaction() as cur:
        await cur.execute("UPDATE items SET note = 'x' WHERE id = 1")
        cur.give_back()
        assert await cur.fetchval("SELECT note FROM items WHERE id = 1") == "x"


async def test_a_statement_does_not_outlive_its_connection(open_database):
    async with open_database(max_size=2, min_size=1) as db, db.acquire() as cur:
        statement = await cur.prepare("SELECT 1")
        cur.give_back()
        async with db.acquire() as other:
            await other.fetchval("SELECT 1")

            with pytest.raises(asyncpg.InterfaceError, match="prepare the statement again"):
                await statement.fetchval()


async def test_a_connection_that_listens_is_kept(db):
    async with db.acquire() as cur:
        await cur.add_listener("news", print)
        held = cur.conn

        cur.give_back()

        assert cur.conn is held

"""What pg_catalog says of a database's tables, to compare two of them name by name."""

from collections.abc import Iterator

from msframework.migrations.operations.base import Backfill, MigrationOperation, Phase, PythonCall
from msframework.migrations.operations.program import read_phases, reverse_operations

_HERE = "nspname IN ('public', 'shop', 'depot')"
QUESTIONS = {
    "columns": f"""
        SELECT nspname, relname, attname, format_type(atttypid, atttypmod), attnotnull,
            pg_get_expr(adbin, adrelid), attidentity, attgenerated,
            CASE WHEN attcollation <> typcollation THEN collname END,
            col_description(attrelid, attnum)
        FROM pg_attribute JOIN pg_class c ON c.oid = attrelid AND relkind = 'r'
            JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_type t ON t.oid = atttypid
            LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
            LEFT JOIN pg_collation k ON k.oid = attcollation
        WHERE attnum > 0 AND NOT attisdropped AND {_HERE}""",
    "constraints": f"""
        SELECT nspname, relname, conname, contype, pg_get_constraintdef(o.oid), convalidated
        FROM pg_constraint o JOIN pg_class c ON c.oid = conrelid
            JOIN pg_namespace n ON n.oid = relnamespace WHERE {_HERE}""",
    "indexes": f"""
        SELECT pg_get_indexdef(indexrelid), indisvalid, indisunique, indimmediate, reloptions
        FROM pg_index JOIN pg_class c ON c.oid = indexrelid
            JOIN pg_namespace n ON n.oid = relnamespace WHERE {_HERE}""",
    "sequences": f"""
        SELECT nspname, c.relname, format_type(seqtypid, NULL), refobjid::regclass::text, attname,
            deptype
        FROM pg_sequence JOIN pg_class c ON c.oid = seqrelid
            JOIN pg_namespace n ON n.oid = relnamespace
            LEFT JOIN pg_depend d ON objid = seqrelid AND deptype IN ('a', 'i')
                AND refclassid = 'pg_class'::regclass
            LEFT JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid WHERE {_HERE}""",
    "tables": f"""
        SELECT nspname, relname, reloptions, obj_description(c.oid, 'pg_class')
        FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
        WHERE relkind = 'r' AND {_HERE}""",
    "types": f"""
        SELECT nspname, typname, array_agg(enumlabel ORDER BY enumsortorder)
        FROM pg_enum JOIN pg_type t ON t.oid = enumtypid
            JOIN pg_namespace n ON n.oid = typnamespace WHERE {_HERE}
        GROUP BY nspname, typname""",
}


def read_rows(connection) -> dict[str, list[tuple]]:
    """Return everything that is compared, in an order of its own."""
    return {
        name: sorted(connection.execute(question, prepare=True).fetchall(), key=repr)
        for name, question in QUESTIONS.items()
    }


def empty(connection) -> None:
    """Drop everything, so that the next case finds an empty database."""
    connection.execute("DROP SCHEMA IF EXISTS public, shop, depot CASCADE")
    connection.execute("CREATE SCHEMA public")


def run(connection, operations: list[MigrationOperation], online: bool = False) -> None:
    """Do the phases of *operations*, each in a transaction, or all in one."""
    phases = [phase for _, each in read_phases(operations, online) for phase in each]
    if not online:
        with connection.transaction():
            for phase in phases:
                for action in phase.actions:
                    _act(connection, action)
    else:
        run_phases(connection, phases)


def run_phases(connection, phases: list[Phase]) -> None:
    """Do *phases* one after the other, as a migration that is not atomic does.

    Those that are no transaction are done twice, as a run does that was broken off in one.
    """
    for phase in phases:
        if phase.transaction:
            with connection.transaction():
                for action in phase.actions:
                    _act(connection, action)
        else:
            if phase.index is not None:
                connection.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {phase.index}")
            _act(connection, *phase.actions)
            if phase.index is None:
                _act(connection, *phase.actions)


def _act(connection, action) -> None:
    if isinstance(action, Backfill):
        for place, value in _values(connection, action):
            connection.execute(
                f"UPDATE {action.table} SET {action.column} = {value} WHERE ctid = '{place}'"
            )
    elif isinstance(action, PythonCall):
        action.function(connection)
    else:
        connection.execute(action.sql)


def _values(connection, action: Backfill) -> Iterator[tuple[str, str]]:
    found = connection.execute(
        f"SELECT ctid FROM {action.table} WHERE {action.column} IS NULL", prepare=False
    ).fetchall()
    for (place,) in found:
        yield place, f"'{action.value()}'" if callable(action.value) else action.value


def reverse(operations: list[MigrationOperation]) -> list[MigrationOperation]:
    """Return the operations that take *operations* back, all of which can be."""
    found = reverse_operations(operations)
    assert found is not None
    return list(found)

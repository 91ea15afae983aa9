"""Tables that peewee makes and those that migrations make, and what `pg_catalog` says of them."""

from msframework.migrations.declared import describe
from msframework.migrations.difference import find_operations
from msframework.migrations.operations.base import PhaseContext
from msframework.migrations.renames import SilentAnswers
from msframework.migrations.schema import SchemaState

QUERIES = {
    "columns": """
        SELECT c.oid::regclass::text, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity, a.attgenerated, a.attcollation::regcollation::text,
               pg_get_expr(d.adbin, d.adrelid)
        FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relkind IN ('r', 'p') AND c.relnamespace::regnamespace::text !~ '^(pg_|inf)'
          AND NOT a.attisdropped
        ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE conrelid <> 0
          AND connamespace::regnamespace::text !~ '^(pg_|inf)'
        ORDER BY 1, 2""",
    "indexes": """
        SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname !~ '^(pg_|inf)'
        ORDER BY 1, 2""",
    "storage": """
        SELECT oid::regclass::text, reloptions FROM pg_class
        WHERE relnamespace::regnamespace::text !~ '^(pg_|inf)' ORDER BY 1""",
    "sequences": """
        SELECT objid::regclass::text, refobjid::regclass::text, refobjsubid, deptype
        FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass
          AND deptype IN ('a', 'i') AND refobjsubid > 0
          AND objid IN (SELECT oid FROM pg_class WHERE relkind = 'S') ORDER BY 1""",
}


def read_catalog(database):
    """Return all that the catalog says of the tables of a database."""
    return {name: database.execute_sql(sql).fetchall() for name, sql in QUERIES.items()}


def create_by_peewee(database, models):
    """Make the tables of *models* as peewee does, and the keys that it defers."""
    with database.bind_ctx(models):
        create_by_state(database, SchemaState(enums=describe(models).enums))  # unknown to peewee
        for model in models:
            if model._meta.schema:
                database.execute_sql(f'CREATE SCHEMA IF NOT EXISTS "{model._meta.schema}"')
        database.create_tables(models)
        for model in models:
            for field in model._meta.sorted_fields:
                if getattr(field, "deferred", False):
                    model._schema.create_foreign_key(field)


def create_by_state(database, state):
    """Make the tables of *state*, as the first migration of an app does."""
    for operation in find_operations(SchemaState(), state, SilentAnswers()):
        for phase in operation.phases(PhaseContext()):
            for action in phase.actions:
                database.execute_sql(action.sql.replace("%", "%%"))

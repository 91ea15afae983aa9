"""What `pg_catalog` says of tables, and a state written as plain SQL, to compare the two."""

from msframework.migrations.declared import describe
from msframework.migrations.schema import ForeignKey
from msframework.migrations.sql import literal, quote, quote_qualified
from msframework.migrations.types import SERIALS

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
        for enum in describe(models).enums:  # peewee knows no types
            for statement in _enum(enum):
                database.execute_sql(statement)
        for model in models:
            if model._meta.schema:
                database.execute_sql(f'CREATE SCHEMA IF NOT EXISTS "{model._meta.schema}"')
        database.create_tables(models)
        for model in models:
            for field in model._meta.sorted_fields:
                if getattr(field, "deferred", False):
                    model._schema.create_foreign_key(field)


def create_by_state(database, state):
    """Make the tables of *state*."""
    for statement in _statements(state):
        database.execute_sql(statement.replace("%", "%%"))


def _statements(state):
    for enum in state.enums:
        yield from _enum(enum)
    for table in state.tables:
        yield from _schema(table.name)
        parts = [*map(_column, table.columns)]
        parts += [
            f"CONSTRAINT {quote(each.name)} {each.definition}"
            for each in table.constraints
            if not isinstance(each, ForeignKey)
        ]
        storage = " ".join(table.storage)
        yield f"CREATE TABLE {quote_qualified(table.name)} ({', '.join(parts)}) {storage}"
    for table in state.tables:
        for key in table.foreign_keys:
            yield f"ALTER TABLE {quote_qualified(table.name)} ADD {_foreign_key(key)}"
        for index in table.indexes:
            yield _index(table.name, index)


def _enum(enum):
    yield from _schema(enum.name)
    values = ", ".join(map(literal, enum.values))
    yield f"CREATE TYPE {quote_qualified(enum.name)} AS ENUM ({values})"


def _schema(name):
    if "." in name:
        yield f"CREATE SCHEMA IF NOT EXISTS {quote(name.partition('.')[0])}"


def _column(column):
    serials = {integer: serial for serial, integer in SERIALS.items()}
    parts = [quote(column.name), serials[column.type] if column.serial else column.type]
    if column.collation:
        parts.append(f"COLLATE {column.collation}")
    if not column.null:
        parts.append("NOT NULL")
    if column.default is not None:
        parts.append(f"DEFAULT {column.default}")
    if column.generated is not None:
        parts.append(f"GENERATED ALWAYS AS ({column.generated}) STORED")
    if column.identity:
        parts.append(f"GENERATED {column.identity} AS IDENTITY")
    return " ".join(parts)


def _foreign_key(key):
    columns, targets = (", ".join(map(quote, each)) for each in (key.columns, key.target_columns))
    text = f"CONSTRAINT {quote(key.name)} FOREIGN KEY ({columns})"
    text += f" REFERENCES {quote_qualified(key.target)} ({targets})"
    text += f" ON DELETE {key.on_delete}" if key.on_delete else ""
    text += f" ON UPDATE {key.on_update}" if key.on_update else ""
    return text + (f" DEFERRABLE INITIALLY {key.deferrable}" if key.deferrable else "")


def _index(table, index):
    text = f"CREATE {'UNIQUE ' * index.unique}INDEX {quote(index.name)} ON {quote_qualified(table)}"
    text += f" USING {index.method} ({', '.join(index.elements)})"
    text += f" INCLUDE ({', '.join(map(quote, index.include))})" if index.include else ""
    text += "" if index.nulls_distinct else " NULLS NOT DISTINCT"
    text += f" WITH ({', '.join(index.storage)})" if index.storage else ""
    return text + (f" WHERE {index.where}" if index.where else "")

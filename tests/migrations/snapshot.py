"""What pg_catalog holds of the tables of a database, as plain rows, to compare two databases by.

It does not go through `msframework.migrations.catalog`, so that a mistake there shows.
"""

import psycopg

_SCHEMAS = """n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"""
_PARTS = {
    "tables": f"""
        SELECT n.nspname, c.relname, c.relkind::text, c.relpersistence::text, c.reloptions,
               obj_description(c.oid, 'pg_class'), pg_get_partkeydef(c.oid),
               ARRAY(SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_SCHEMAS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')""",
    "columns": f"""
        SELECT n.nspname, c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
               a.attnotnull, a.attidentity::text, a.attgenerated::text,
               pg_get_expr(d.adbin, d.adrelid), l.collname, col_description(c.oid, a.attnum),
               pg_get_serial_sequence(format('%%I.%%I', n.nspname, c.relname), a.attname)
                   IS NOT NULL
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        LEFT JOIN pg_collation l ON l.oid = a.attcollation
        WHERE {_SCHEMAS} AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
          AND a.attnum > 0 AND NOT a.attisdropped""",
    "constraints": f"""
        SELECT n.nspname, c.relname, k.conname, k.contype::text, pg_get_constraintdef(k.oid),
               k.convalidated
        FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_SCHEMAS} AND k.contype <> 'n'""",
    "indexes": f"""
        SELECT n.nspname, c.relname, x.relname, pg_get_indexdef(i.indexrelid), i.indisvalid,
               x.reloptions
        FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
        JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE {_SCHEMAS}""",
    "enums": f"""
        SELECT n.nspname, t.typname,
               ARRAY(SELECT enumlabel::text FROM pg_enum WHERE enumtypid = t.oid
                     ORDER BY enumsortorder)
        FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
        WHERE {_SCHEMAS} AND t.typtype = 'e'""",
    "triggers": f"""
        SELECT n.nspname, c.relname, g.tgname, pg_get_triggerdef(g.oid)
        FROM pg_trigger g JOIN pg_class c ON c.oid = g.tgrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_SCHEMAS} AND NOT g.tgisinternal""",
    "sequences": f"""
        SELECT n.nspname, c.relname, format_type(s.seqtypid, NULL), s.seqincrement
        FROM pg_sequence s JOIN pg_class c ON c.oid = s.seqrelid
        JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {_SCHEMAS}""",
}
_OWN = ("migrate_record", "migrate_progress")


def take_snapshot(url, *, comments=True, sequences=True):
    """Return the rows of each part of pg_catalog, by the name of the part, in order.

    The order of columns is not among them, nor is the record of migrations.

    Args:
        comments: without them, what is the same but for comments has the same snapshot.
        sequences: likewise; a renamed table keeps the names of its sequences.
    """
    with psycopg.connect(url) as connection:
        return read_snapshot(connection, comments=comments, sequences=sequences)


def read_snapshot(connection, *, comments=True, sequences=True):
    """Return what `take_snapshot` does, by a connection that is open."""
    found = {}
    for part, statement in _PARTS.items():
        rows = connection.execute(statement, ()).fetchall()
        rows = [row for row in rows if row[1] not in _OWN]
        if not sequences and part == "columns":
            rows = [_without_sequence(row) for row in rows]
        if not comments:
            place = {"tables": 5, "columns": 9}.get(part)
            rows = [tuple(v for n, v in enumerate(row) if n != place) for row in rows]
        found[part] = sorted(rows, key=repr)
    if not sequences:
        del found["sequences"]
    return found


def compare_snapshots(one, other):
    """Return what stands in one of two snapshots only, as lines."""
    lines = []
    for part in one:
        lines += [f"- {part} {row!r}" for row in one[part] if row not in other[part]]
        lines += [f"+ {part} {row!r}" for row in other[part] if row not in one[part]]
    return lines


def _without_sequence(row):
    """Leave the name of a column's own sequence out of its default."""
    return (*row[:7], "nextval", *row[8:]) if row[10] and row[7] else row

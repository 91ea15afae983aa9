"""Parts of tables that no model can declare, as comments. Runs on the command line."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from peewee import PostgresqlDatabase

from msframework.migrations.relation import rows

_MOST_PARTITIONS: Final = 5
_REMARKS: Final = """
SELECT found.oid, n.nspname, c.relname, pg_table_is_visible(c.oid) AS visible, found.remark FROM (
    SELECT tgrelid AS oid, 'a trigger: ' || pg_get_triggerdef(oid, true) AS remark
    FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0
    UNION ALL
    SELECT ev_class, 'a rule: ' || pg_get_ruledef(oid, true)
    FROM pg_rewrite WHERE rulename <> '_RETURN'
    UNION ALL
    SELECT polrelid, 'a policy of row security: ' || quote_ident(polname) FROM pg_policy
    UNION ALL
    SELECT stxrelid, 'statistics: ' || pg_get_statisticsobjdef(oid) FROM pg_statistic_ext
    UNION ALL
    SELECT attrelid, 'a column that is computed when it is read: ' || quote_ident(attname)
        || ' ' || format_type(atttypid, atttypmod)
    FROM pg_attribute WHERE attgenerated = 'v' AND attnum > 0
    UNION ALL
    SELECT attrelid, 'a type that no migration makes: ' || quote_ident(attname)
        || ' ' || format_type(atttypid, atttypmod)
    FROM pg_attribute JOIN pg_type t ON t.oid = atttypid
      JOIN pg_type one ON one.oid = CASE t.typcategory WHEN 'A' THEN t.typelem ELSE t.oid END
      JOIN pg_namespace s ON s.oid = one.typnamespace
    WHERE attnum > 0 AND s.nspname NOT IN ('pg_catalog', 'information_schema')
      AND (one.typtype <> 'e' OR (one.typname || s.nspname) !~ '^[a-z_][a-z0-9_]*$')
      AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_type'::regclass
          AND objid = one.oid AND deptype = 'e')
    UNION ALL
    SELECT refobjid, 'the sequence of ' || quote_ident(attname) || ': START ' || seqstart
        || ' INCREMENT ' || seqincrement || CASE WHEN seqcycle THEN ' CYCLE' ELSE '' END
    FROM pg_sequence JOIN pg_depend ON objid = seqrelid AND classid = 'pg_class'::regclass
        AND refclassid = 'pg_class'::regclass AND deptype IN ('a', 'i')
      JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
    WHERE seqstart <> 1 OR seqincrement <> 1 OR seqcycle
    UNION ALL
    SELECT conrelid, quote_ident(conname) || ' is not validated'
    FROM pg_constraint WHERE contype = 'f' AND NOT convalidated
    UNION ALL
    SELECT indrelid, 'an index that is not valid: ' || pg_get_indexdef(indexrelid, 0, true)
    FROM pg_index WHERE NOT indisvalid
    UNION ALL
    SELECT oid, 'it is UNLOGGED' FROM pg_class WHERE relpersistence = 'u' AND relkind = 'r'
    UNION ALL
    SELECT c.oid, 'its tablespace: ' || quote_ident(spcname)
    FROM pg_class c JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE relkind IN ('r', 'p')
    UNION ALL
    SELECT inhparent, 'a partition: ' || c.oid::regclass
    FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relispartition
) AS found
JOIN pg_class c ON c.oid = found.oid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.oid = ANY(%s::oid[]) ORDER BY n.nspname, c.relname, found.remark"""


def read_remarks(
    database: PostgresqlDatabase, found: Mapping[int, str | None]
) -> dict[str, list[str]]:
    """Return a line for each part of the tables *found* that no model can declare."""
    remarks: defaultdict[str, list[str]] = defaultdict(list)
    for row in rows(database, _REMARKS, list(found)):
        remarks[found[row["oid"]] or row.table].append(row["remark"])
    return {name: _shortened(lines) for name, lines in remarks.items()}


def _shortened(lines: list[str]) -> list[str]:
    partitions = [line for line in lines if line.startswith("a partition: ")]
    more = len(partitions) - _MOST_PARTITIONS
    if more <= 0:
        return lines
    kept = [line for line in lines if line not in partitions[_MOST_PARTITIONS:]]
    return [*kept, f"{more} more partitions"]

"""All changes, by the parts of the table."""

from tests.migrations.changes import (
    by_hand,
    combinations,
    constraints,
    enums,
    fields,
    foreign_keys,
    indexes,
    names,
    tables,
    values,
)

PARTS = {
    "What a column holds": fields.CHANGES,
    "Where values come from": values.CHANGES,
    "Renamed and dropped": names.CHANGES,
    "Keys and constraints": constraints.CHANGES,
    "Indexes": indexes.CHANGES,
    "Foreign keys": foreign_keys.CHANGES,
    "Tables and schemas": tables.CHANGES,
    "Enumerated types": enums.CHANGES,
    "Several at once": combinations.CHANGES,
    "Made by hand, and left alone": by_hand.CHANGES,
}
CHANGES = [change for part in PARTS.values() for change in part]

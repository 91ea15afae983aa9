"""All changes, by the parts of the table."""

from tests.migrations.changes import fields

PARTS = {"Fields": fields.CHANGES}
CHANGES = [change for part in PARTS.values() for change in part]

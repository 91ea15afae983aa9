"""The data layer: `Database`, and the cursors that its `acquire()` and `transaction()` give."""

from msframework.db.cursor import Cursor
from msframework.db.database import Database
from msframework.db.errors import translate

__all__ = ["Cursor", "Database", "translate"]

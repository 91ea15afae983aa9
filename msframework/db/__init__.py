"""The data layer: `Database`, and the cursors that its `acquire()` and `transaction()` give."""

from msframework.db.binding import RequestDatabase
from msframework.db.cursor import Cursor
from msframework.db.database import Database
from msframework.db.errors import translate
from msframework.db.transaction import Transaction

__all__ = ["Cursor", "Database", "RequestDatabase", "Transaction", "translate"]

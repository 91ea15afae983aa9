"""How listings are cut into pages: by number, by offset, or by a cursor.

`Pages`, `Offsets` and `Cursors` are read at start-up, `@doc.paginate` declares one of them; a
method gets what the caller asked for as `page`, and fetches a `PageResult` by it.
"""

from msframework.pagination.cursors import CursorPage, Cursors
from msframework.pagination.offsets import OffsetPage, Offsets
from msframework.pagination.pages import Page, Pages
from msframework.pagination.result import PageResult, RowSource

__all__ = [
    "CursorPage",
    "Cursors",
    "OffsetPage",
    "Offsets",
    "Page",
    "PageResult",
    "Pages",
    "RowSource",
]

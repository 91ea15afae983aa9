"""What a cursor is doing. Constants, read per request."""

from __future__ import annotations

from typing import Final

READY: Final = 0
BUSY: Final = 1
CLOSED: Final = 2
REFUSALS: Final = {
    BUSY: "another statement is still running on this cursor: await one after the other, or "
    "open a cursor for each task",
    CLOSED: "the cursor is closed: use it inside of its `async with` block",
}

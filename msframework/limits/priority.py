"""The priorities of operations: who is still let in when a worker has more than it can serve.

Read at start-up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

NORMAL: Final = "normal"
# How much of what a worker admits each priority may fill: the callers that matter most find room
# above the limit, and those that can wait leave some below it.
SHARES: Final[Mapping[str, float]] = {"high": 1.25, "normal": 1.0, "low": 0.75}

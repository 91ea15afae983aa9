"""The garbage collector while a server starts, and its view of objects afterwards.

Runs in the processes of `runserver`.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

YOUNG: Final = 10_000
_DEFAULT: Final = gc.get_threshold()


@contextmanager
def without_collection() -> Iterator[None]:
    """Leave the collector out: objects of start-up stay, so it would look in vain.

    PERF: it takes a fifth of the time that 300 routes need (benchmarks/startup.py).
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


class SettledObjects:
    """Takes all that a service holds once it has started out of the collector's sight.

    A full collection would else stop the requests for 50 ms and more, with 300 routes. From then on
    it looks when `YOUNG` objects are new, unless somebody chose another number.

    PERF: by default it looks after each few listings, at rows that are about to be freed anyway
    (benchmarks/README.md, row list).
    """

    def __init__(self, service: Any) -> None:
        gc.freeze()  # for the collections until it has started
        service.register_listener(self._freeze, "after_server_start")

    async def _freeze(self, service: Any) -> None:
        gc.freeze()
        if gc.get_threshold() == _DEFAULT:
            gc.set_threshold(YOUNG, *_DEFAULT[1:])

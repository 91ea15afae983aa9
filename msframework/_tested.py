"""Whether our ways around a library's API may be taken: its version, and who else looks at it.

Runs at start-up, and when a connection or a session is opened.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from types import FunctionType
from typing import Any


def is_tested(
    logger: logging.Logger, library: str, version: str, tested: tuple[str, ...], way: str
) -> bool:
    """Return whether *version* begins like one of *tested*; else say so at WARNING.

    Args:
        logger: what warns.
        library: the name of the library.
        version: the one that is installed.
        tested: what the versions that were tested begin with.
        way: what is left out then.
    """
    if version.startswith(tested):
        return True
    logger.warning(
        "%s was not tested with %s %s; %s's own way is used", way, library, version, library
    )
    return False


def is_untouched(*classes: type[Any]) -> bool:
    """Return whether all methods of *classes* are those that their library came with.

    Instrumentations (OpenTelemetry's, Sentry's, …) put functions of their own in the place of
    methods, and would see nothing of a call that goes around these.
    """
    return all(_has_own_methods(cls) for cls in classes)


def _has_own_methods(cls: type[Any]) -> bool:
    package = sys.modules[cls.__module__.partition(".")[0]].__file__ or ""
    own = (os.path.dirname(package), contextlib.__file__, "<")
    for value in vars(cls).values():
        if isinstance(value, staticmethod | classmethod):
            value = value.__func__
        if type(value) is FunctionType:
            if not value.__code__.co_filename.startswith(own):
                return False
        elif isinstance(value, FunctionType):
            # NOTE: what stands in for a function may say that it is one, and is of another type.
            return False
    return True

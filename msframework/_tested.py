"""Whether a library is one of the versions that our ways around its API were tested with.

Runs at start-up.
"""

from __future__ import annotations

import logging


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

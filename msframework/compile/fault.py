"""The failures of the database before the method of an operation runs: a fault of ours, mostly.

An authenticator, a guard or a provider that violates a constraint says nothing of the caller's
input, whatever the same failure of a statement of the method means. Runs per request, when it
happened.
"""

from __future__ import annotations

from asyncpg import PostgresError

from msframework.db.errors import translate
from msframework.exceptions import DatabaseUnavailable
from msframework.misfit import find_misfit
from msframework.serving.request import Request


def read_fault(request: Request, exc: PostgresError, who: str) -> Exception:
    """Return the exception to raise in the place of *exc*, which *who* raised.

    A database that is away stays a 503, and a value of the path or the query that a column cannot
    hold is the caller's; anything else is an unexpected failure.
    """
    known = translate(exc)
    if isinstance(known, DatabaseUnavailable):
        return known
    return find_misfit(exc, request, "body") or RuntimeError(
        f"{who} raised {type(exc).__qualname__}"
    )

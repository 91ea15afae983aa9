"""Whether the parent that a path names is one whose rows the caller may have.

Runs per request, when a new row below a parent was refused: nothing is asked before.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import asyncpg
import peewee
from peewee import SQL, Cast, EnclosedNodeList, Expression, NodeList, fn

from msframework.db.errors import refuses_row
from msframework.db.transaction import Transaction, doom, start_over
from msframework.exceptions import ServiceException


class Parents:
    """The parents of a collection that has a scope.

    A parent outside of the scope is answered like one that is not there, whatever else is wrong
    with the new row: a conflict with rows of another caller, for instance.

    Args:
        model: the model of the rows.
        fields: the fields that hold the parents.
        missing: the exception for a parent that is not there.
    """

    __slots__ = ("_fields", "_missing", "_model")

    def __init__(
        self, model: Any, fields: Sequence[peewee.Field], missing: type[ServiceException]
    ) -> None:
        self._fields: tuple[Any, ...] = tuple(fields)
        self._model, self._missing = model, missing

    async def check(self, tx: Transaction, exc: Exception, scope: Any, *values: object) -> None:
        """Answer a refused row like one without parents where no row of theirs can be in *scope*.

        Args:
            tx: the transaction that failed, or is about to.
            exc: what refused the row.
            values: the values of the parents.

        Raises:
            ServiceException: the parents are not there for the caller.
        """
        if scope is None:
            return
        failed = isinstance(exc, asyncpg.PostgresError)
        if failed and not refuses_row(exc):
            return
        try:
            if failed:
                await start_over(tx)
            is_outside = await tx.fetchval(self.query(scope, values))
        except Exception:  # the failure that was is answered
            is_outside = None
        if failed:
            doom(tx)
        if is_outside is not None:
            raise self._missing() from exc

    def query(self, scope: Any, values: Sequence[object]) -> Any:
        """Return the select of one row where none of those parents lies in *scope*.

        The row has the *values* of the parents, and NULL in every other column. So a scope that
        also depends on others is NULL for it, and counts as met; only one that is false does not.
        """
        given = zip(self._fields, values, strict=True)
        terms = [
            Cast(text, "text")
            for field, value in given
            for text in (field.column_name, str(field.db_value(value)))
        ]
        entity = NodeList((SQL("NULL::"), self._model._meta.entity), glue="")
        row = fn.jsonb_populate_record(entity, fn.jsonb_build_object(*terms))
        # NOTE: peewee calls the table of the first column "t1". The columns of the scope are of the
        # same table, and so are read of this row.
        met = Expression(self._fields[0], "IS NOT", SQL("NULL"))
        source = NodeList((row, SQL('AS "t1"')))
        outside = Expression(EnclosedNodeList((scope,)), "IS", SQL("FALSE"))
        return self._model.select(SQL("1")).from_(source).where(met, outside)

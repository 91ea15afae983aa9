"""`find_ungiven`: parameters that nothing gives, written as other frameworks read a query.

Runs on the command line.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from msframework._signature import read_signature
from msframework.compile.annotation import types_in
from msframework.operation import Operation


def find_ungiven(operations: Iterable[Operation]) -> Iterator[str]:
    """Yield a warning for each parameter such as `limit: int = 10` that always has its default."""
    for operation in operations:
        given = {argument.name for argument in operation.arguments}
        for parameter in list(read_signature(operation.handler).parameters.values())[1:]:
            name, said = parameter.name, types_in(parameter.annotation)
            if parameter.default is parameter.empty or name in given or not said or None in said:
                continue
            yield (
                f"{operation.where}: nothing gives its parameter {name!r}, so it always has its "
                f"default. If it is meant to be of the query, declare it with @doc.query and read "
                f"query[{name!r}]; else drop its annotation."
            )

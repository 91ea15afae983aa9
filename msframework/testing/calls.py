"""Operations by the names of their functions, as calls for a test client. Runs in tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypedDict, TypeVar
from urllib.parse import quote

from msframework.alike import find_nearest
from msframework.client.address import Params
from msframework.operation import EXTENSION, Operation, Source

T = TypeVar("T")
_OPTIONS: Final = ("params", "json", "data", "headers", "cookies", "allow_redirects")
# What clients of other frameworks do to have a caller.
_AUTHENTICATING: Final = ("credentials", "force_authenticate", "force_login", "login")


class CallOptions(TypedDict, total=False):
    """The options of a call beside its method and path.

    Attributes:
        params: the query.
        json: the body, sent as JSON.
        data: the body as bytes or text, a dict or `aiohttp.FormData` for a form.
        headers: further headers.
        cookies: the cookies.
        allow_redirects: follow redirects; they are handed back otherwise.
    """

    params: Params | None
    json: object
    data: object
    headers: Mapping[str, str] | None
    cookies: Mapping[str, str] | None
    allow_redirects: bool


class Operations:
    """The operations of a service, of one blueprint first when that is named."""

    def __init__(self, operations: Sequence[Operation], blueprint: str | None = None) -> None:
        self._all = tuple(operations)
        self._own = tuple(o for o in self._all if blueprint in (None, o.blueprint))
        self._blueprint = blueprint

    def find(self, name: str) -> Operation:
        """Return the operation *name*: a function's name, or `Class.method`, or an operation id.

        Raises:
            AttributeError: there is none, or several blueprints have one.
        """
        for given in (self._own, self._all):
            found = [o for o in given if o.name == name] or [o for o in given if o.id == name]
            if len(found) == 1:
                return found[0]
            if found:
                where = ", ".join(f"{o.method} {o.template} ({o.blueprint})" for o in found)
                raise AttributeError(f"{name!r} is not one operation: {where}")
        known = ", ".join(sorted({o.name for o in self._own})) or "none"
        whose = f"blueprint {self._blueprint!r}" if self._blueprint else "service"
        every = [text for o in self._all for text in (o.name, o.id)]
        close = find_nearest(name, every, 0.7)
        meant = "client.as_principal(…)" if name in _AUTHENTICATING else close
        question = f". Was {meant} meant?" if meant else ""
        raise AttributeError(f"the {whose} has no operation {name!r}; it has {known}{question}")

    def has_class(self, name: str) -> bool:
        """Tell whether *name* is a Resource class with operations."""
        return any(o.name.startswith(f"{name}.") for o in self._all)

    def resolve(
        self, name: str, arguments: Mapping[str, object]
    ) -> tuple[str, str, dict[str, Any]]:
        """Return method, path and options of a call of *name*; a dict or list as data is JSON.

        Raises:
            AttributeError: there is no such operation.
            TypeError: path parameters are missing or left over.
        """
        operation = self.find(name)
        options = {key: arguments[key] for key in _OPTIONS if key in arguments}
        values = {key: value for key, value in arguments.items() if key not in options}
        kinds = {
            param.name: param.kind for param in operation.path_params if param.kind != EXTENSION
        }
        if values.keys() != kinds.keys():
            raise TypeError(
                f"{name} ({operation.method} {operation.template}) takes the path parameters "
                f"{sorted(kinds)}, got {sorted(values)}. Give the query as params, a body as data."
            )
        path = operation.template
        for key, value in values.items():
            text = quote(str(value), safe="/" if kinds[key] == "path" else "")
            path = path.replace(f"{{{key}}}", text)
        if isinstance(options.get("data"), dict | list) and not _takes_form(operation):
            options["json"] = options.pop("data")
        return operation.method, path, options


def _takes_form(operation: Operation) -> bool:
    return any(item.source in (Source.FORM, Source.FILES) for item in operation.inputs)


class OperationName(Generic[T]):
    """`client.create_user`, or `client.UserDetail`, whose methods are operations."""

    __slots__ = ("_call", "_name", "_operations")

    def __init__(self, name: str, call: Callable[..., T], operations: Operations) -> None:
        self._name, self._call, self._operations = name, call, operations
        if not operations.has_class(name):
            operations.find(name)

    def __call__(self, *unnamed: object, **arguments: object) -> T:
        """Call the operation with its path parameters, `params`, `data`, `json` and `headers`."""
        if unnamed:
            raise TypeError(f"{self._name} takes arguments by name, as in id=1, data={{…}}")
        return self._call(self._name, **arguments)

    def __getattr__(self, method: str) -> OperationName[T]:
        if method.startswith("_"):
            raise AttributeError(method)
        return OperationName(f"{self._name}.{method}", self._call, self._operations)

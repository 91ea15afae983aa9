"""`CallPlan`: a method and path template, with all that follows from them; made once for each.

`CallPlan.fill` runs per request.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

from msframework.client.address import Address, is_clean
from msframework.client.replay import IDEMPOTENT
from msframework.exceptions import BadRequest

# The texts of a path, and between them the names of its parameters.
split_path = re.compile(r"\{([^{}]*)\}").split
_WITHOUT_BODY: Final = {
    "GET": "",
    "HEAD": "",
    "OPTIONS": "",
    "DELETE": "Content-Length: 0\r\n",
    "POST": "Content-Length: 0\r\nContent-Type: application/octet-stream\r\n",
    "PUT": "Content-Length: 0\r\nContent-Type: application/octet-stream\r\n",
    "PATCH": "Content-Length: 0\r\nContent-Type: application/octet-stream\r\n",
}


class CallPlan:
    """One method and path of a service, a template such as `/cities/{id}`; empty for any path.

    Attributes:
        method: in capitals.
        template: the path as it was given.
        name: the name of the span of a call.
        url: the address that the span shows.
        idempotent: whether the call may be sent twice.
        without_body: the header lines that say that no body follows; `None` where aiohttp says it.
        start: the request line up to the path, with the prefix of the service.
        plain: whether the filled path needs no further look: its own text is clean, without dots.
    """

    __slots__ = (
        "_names",
        "_parts",
        "idempotent",
        "method",
        "name",
        "plain",
        "start",
        "template",
        "url",
        "without_body",
    )

    def __init__(self, address: Address, method: str, template: str) -> None:
        self._parts = parts = tuple(split_path(template))
        self._names = frozenset(parts[1::2])
        own = "".join(parts[::2])
        self.method, self.template = method.upper(), template
        self.name = f"{method.lower()} {template}".rstrip()
        self.url = f"{address.base}{template}"
        self.idempotent = self.method in IDEMPOTENT
        self.without_body = _WITHOUT_BODY.get(self.method)
        self.start = f"{self.method} {address.prefix}"
        begins_well = parts[0][:1] == "/" and own[:2] != "//"
        self.plain = begins_well and is_clean(own) and "." not in own and "%2" not in own

    def fill(self, values: Mapping[str, Any]) -> str:
        """Return the path, with each `{name}` replaced by its value, percent-encoded.

        Raises:
            TypeError: a value is missing, is left over, or is `None`.
            BadRequest: a value would lead to another resource: it is empty, `.` or `..`.
        """
        if self._names != values.keys():
            raise TypeError(
                f"{self.template!r} takes the path parameters {sorted(self._names)}, got "
                f"{sorted(values)}. Pass each by name, and what is not in the path as params."
            )
        parts = self._parts
        if len(parts) == 1:
            return self.template
        if len(parts) == 3:
            before, name, after = parts
            return f"{before}{_encode(name, values[name])}{after}"
        filled = list(parts)
        filled[1::2] = [_encode(name, values[name]) for name in parts[1::2]]
        return "".join(filled)


def _encode(name: str, value: Any) -> str:
    if type(value) is int:
        return str(value)
    if value is None:
        raise TypeError(f"the path parameter {name!r} is None")
    text = str(value)
    if text in ("", ".", ".."):
        raise BadRequest(f"{text!r} cannot be the value of {name!r} in a path")
    return quote(text, safe="")

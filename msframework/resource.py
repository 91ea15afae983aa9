"""`Resource`: the class that a service writes, one for each path."""

from __future__ import annotations

from typing import ClassVar

from msframework.envelope import Envelope
from msframework.types import UNSET, Unset

METHODS = ("get", "post", "put", "patch", "delete")


class Resource:
    """The methods of one path: any of `get`, `post`, `put`, `patch`, `delete`.

    One instance serves the whole life of the blueprint, so nothing of a request belongs on `self`.
    HEAD and OPTIONS answer by themselves, and a method that is not there gives 405 with `Allow`.

    Attributes:
        envelope: how this resource wraps its answers; the service's own when `UNSET`, bare bodies
            when `None`.
        mounted_at: its path below the blueprint's, set when it is mounted.
    """

    mounted_at: str = ""

    envelope: ClassVar[Envelope | type[Envelope] | str | Unset | None] = UNSET

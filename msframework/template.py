"""The envelope of a request for which no method runs, by the shape of its path.

Built when a worker starts; `envelope_of` runs per request that fails before or beside a handler.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from msframework.envelope import Envelope
from msframework.operation import Operation

# The patterns of one part of a path that a parameter takes, and of any number of them.
_PART, _REST = "", "/"


@dataclass(slots=True)
class _Template:
    """The parts of a path, and the envelopes of its methods."""

    parts: tuple[str, ...]
    envelopes: dict[str, Envelope] = field(default_factory=dict)

    def fits(self, parts: list[str]) -> bool:
        """Whether a path with *parts* has this shape, whatever its converters say of the values."""
        for place, part in enumerate(self.parts):
            if part == _REST:
                return place < len(parts)
            if place >= len(parts) or (part != parts[place] and part != _PART):
                return False
        return len(self.parts) == len(parts)

    @property
    def rank(self) -> tuple[bool, ...]:
        """The sort key: greater for a path with more literal parts, from left to right."""
        return tuple(part not in (_PART, _REST) for part in self.parts)


class Templates:
    """The shapes of all paths, the most literal first."""

    def __init__(self, operations: Iterable[Operation], default: Envelope) -> None:
        self._default = default
        found: dict[tuple[str, ...], _Template] = {}
        for operation in operations:
            parts = _read_parts(operation)
            template = found.setdefault(parts, _Template(parts))
            template.envelopes.setdefault(operation.method, operation.envelope or default)
        same = all(
            envelope is default
            for template in found.values()
            for envelope in template.envelopes.values()
        )
        # PERF: most services have one envelope, and nothing to look for.
        templates = () if same else found.values()
        self._templates = sorted(templates, key=lambda template: template.rank, reverse=True)

    def envelope_of(self, method: str, path: str) -> Envelope:
        """Return the envelope of *method* at *path*; that of the path where all its methods agree.

        It is the service's for a path that nobody has, and for one whose methods do not agree.
        """
        if not self._templates:
            return self._default
        parts = path.strip("/").split("/")
        for template in self._templates:
            if template.fits(parts):
                envelopes = template.envelopes
                own = envelopes.get("GET" if method == "HEAD" else method)
                if own is not None:
                    return own
                first, *others = envelopes.values()
                agree = all(type(other) is type(first) for other in others)
                return first if agree else self._default
        return self._default


def _read_parts(operation: Operation) -> tuple[str, ...]:
    """Return the parts of an operation's path; a parameter that may hold slashes takes the rest."""
    kinds = {f"{{{param.name}}}": param.kind for param in operation.path_params}
    parts: list[str] = []
    for part in operation.template.strip("/").split("/"):
        kind = kinds.get(part)
        if kind is None and "{" not in part:
            parts.append(part)
        elif kind == "path" or "/" in (kind or ""):
            return (*parts, _REST)
        else:
            parts.append(_PART)
    return tuple(parts)

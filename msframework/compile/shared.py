"""The notes of a Resource class for all of its methods, with those that it inherits.

Runs at start-up.
"""

from __future__ import annotations

from dataclasses import replace

from msframework.doc import Notes, find_notes
from msframework.resource import Resource


def shared_notes(resource: type[Resource] | None) -> Notes:
    """Return the notes on *resource* and those that it inherits; empty ones without a class.

    Failures, tags, security and priority are inherited. Texts, `@doc.deprecated`, `@doc.public` and
    `@doc.unlimited` hold for the class alone on which they stand.
    """
    if resource is None:
        return Notes()
    own = find_notes(resource) or Notes()
    bases = [each for cls in resource.__mro__[1:] if (each := find_notes(cls)) is not None]
    if not bases:
        return own
    known = (own, *bases)
    # NOTE: @doc.public drops what is declared outside of its class, of which its bases are a part.
    guarding = (own,) if own.public else known
    return replace(
        own,
        failures=[failure for each in known for failure in each.failures],
        tags=next((each.tags for each in known if each.tags), []),
        security=next((each.security for each in guarding if each.security is not None), None),
        priority=_nearest_priority(resource),
        mistakes=[mistake for each in known for mistake in each.mistakes],
    )


def _nearest_priority(resource: type[Resource]) -> str:
    """Return the priority of the nearest class that has one, as a note or an attribute."""
    for cls in resource.__mro__:
        notes = find_notes(cls)
        if priority := (notes.priority if notes else "") or vars(cls).get("priority", ""):
            return str(priority)
    return ""

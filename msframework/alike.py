"""The name that a wrong one may have been meant for. Runs at start-up, and per refused request.

A caller chooses the wrong name of a request, so the work that it makes is bounded, whatever names
there are.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

_LONGEST: Final = 100  # characters of a wrong name that are looked at
_LIKE: Final = 0.6  # the share of equal characters, as in difflib
# The pairs of characters that are compared: names of usual length, and some dozens of them.
MOST_PAIRS: Final = 2500
_NEAR: Final = 4


def find_nearest(name: str, known: Iterable[str], least: float = _LIKE) -> str:
    """Return the one of *known* that is most like *name*; empty where none is.

    Args:
        least: the share of equal characters, from 0 to 1, that two names have which are alike.
    """
    return next(iter(get_close_matches(name, sorted(known), 1, least)), "")


def find_alike(name: str, known: Iterable[str]) -> str:
    """Return the name of `find_nearest`, within bounds, for a name that a caller chose."""
    name, names = name[:_LONGEST], sorted(known)
    if len(name) * sum(map(len, names)) <= MOST_PAIRS:
        return find_nearest(name, names)
    # NOTE: difflib takes 50 milliseconds where 200 long names are alike.
    mirrored = sorted(each[::-1] for each in names)
    near = [*_around(name, names), *(each[::-1] for each in _around(name[::-1], mirrored))]
    best = max(near, key=lambda each: _likeness(name, each))
    return best if _likeness(name, best) >= _LIKE else ""


def _around(name: str, names: Sequence[str]) -> Sequence[str]:
    """Return the names around the place of *name* in the sorted *names*."""
    place = bisect(names, name)
    return names[max(0, place - _NEAR) : place + _NEAR]


def _likeness(name: str, other: str) -> float:
    """Return the share of equal characters at the beginning and at the end of two names."""
    most = min(len(name), len(other), _LONGEST)
    same = next((at for at in range(most) if name[at] != other[at]), most)
    rest = most - same
    same += next((at for at in range(rest) if name[-1 - at] != other[-1 - at]), rest)
    return 2 * same / ((len(name) + len(other)) or 1)

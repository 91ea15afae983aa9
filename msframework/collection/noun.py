"""The nouns for the rows of a model in texts: a role, an order line, several cities.

Runs at start-up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
# Words that begin with a vowel, but are spoken with a consonant: a user, a unit, a one.
_CONSONANT: Final = re.compile(r"us[eu]|uni|ut[ie]|eu|one\b")


@dataclass(frozen=True, slots=True)
class Noun:
    """A noun, with its plural and its article."""

    one: str
    many: str

    @property
    def with_article(self) -> str:
        """The noun behind `a` or `an`."""
        vowel = self.one[:1].lower() in tuple("aeiou")
        return f"an {self.one}" if vowel and not _CONSONANT.match(self.one) else f"a {self.one}"


def read_noun(model_name: str, one: str = "", many: str = "") -> Noun:
    """Return the noun for a model; *one* and *many* are said where the name does not serve."""
    one = one or " ".join(part.lower() for part in _CAMEL.split(model_name.replace("_", " ")))
    return Noun(one, many or plural_of(one))


def plural_of(noun: str) -> str:
    """Return the regular plural of an English noun."""
    if re.search(r"[^aeiou]y$", noun):
        return f"{noun[:-1]}ies"
    return f"{noun}es" if re.search(r"(s|x|z|ch|sh)$", noun) else f"{noun}s"

"""Challenges: the values of `WWW-Authenticate` that name an authenticator (RFC 9110, 11.6.1).

Runs at start-up.
"""

from __future__ import annotations

import re

from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem

# What needs no escape in a quoted string, and what some clients read wrongly when it is escaped.
_is_quotable = re.compile(r"[ !#-\[\]-~]+").fullmatch


def build_challenge(scheme: str, **parameters: str) -> str:
    """Return the challenge of *scheme* with *parameters*, each a quoted string.

    Raises:
        ImproperlyConfigured: a parameter can't be quoted.
    """
    given: dict[str, object] = dict(parameters)
    problems = [
        Problem(
            f"the challenge {scheme}",
            f"{name} is {value!r}",
            "visible ASCII and blanks, without quotation marks and backslashes",
            "Choose another text.",
        )
        for name, value in given.items()
        if not isinstance(value, str) or _is_quotable(value) is None
    ]
    if problems:
        raise ImproperlyConfigured.of(problems)
    listed = ", ".join(f'{name}="{value}"' for name, value in parameters.items())
    return f"{scheme} {listed}" if listed else scheme

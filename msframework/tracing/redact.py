"""Redaction: the values of configured keys are never written to logs, spans or errors.

Runs per log line and per exported span. A key counts when one of the configured words is part of
it, whatever its case: `token` covers `access_token`, `X-Auth-Token` and `csrfToken`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

HIDDEN: Final = "***"
_MAX_DEPTH: Final = 16
_MAX_KNOWN: Final = 4096
_IGNORED = str.maketrans("", "", "-_. ")
_USER_INFO = re.compile(r"(\b[a-zA-Z][a-zA-Z0-9+.\-]*://[^\s/:@]*):[^\s/@]+@")


class Redactor:
    """Hides the values of *keys*."""

    __slots__ = ("_known", "_pattern", "_words")

    def __init__(self, keys: Iterable[str] = ()) -> None:
        self._words = tuple(word for key in keys if (word := _plain(key)))
        self._known: dict[str, bool] = {}
        self._pattern: re.Pattern[str] | None = None
        if self._words:
            # NOTE: letters of a word may be apart in a key (`api-key`, `apiKey`).
            words = "|".join(r"[-_. ]?".join(map(re.escape, word)) for word in self._words)
            self._pattern = re.compile(
                rf"""(?P<key>[\w.\-]*(?:{words})[\w.\-]*["']?\s*[=:]\s*)"""
                r"""(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'"""
                r"""|(?:(?:bearer|basic|digest|token)\s+)?[^\s,;&"'}\])]+)""",
                re.IGNORECASE,
            )

    def hides(self, key: object) -> bool:
        """Return whether values under *key* are hidden."""
        if not isinstance(key, str):
            return False
        known = self._known.get(key)
        if known is None:
            plain = _plain(key)
            known = any(word in plain for word in self._words)
            if len(self._known) < _MAX_KNOWN:
                self._known[key] = known
        return known

    def redact(self, value: Any, _depth: int = 0) -> Any:
        """Return *value* with hidden values replaced, in mappings and sequences at any depth."""
        if isinstance(value, Mapping):
            if _depth >= _MAX_DEPTH:
                return HIDDEN
            return {
                key: HIDDEN if self.hides(key) else self.redact(item, _depth + 1)
                for key, item in value.items()
            }
        if isinstance(value, (list, tuple, set, frozenset)):
            if _depth >= _MAX_DEPTH:
                return HIDDEN
            return [self.redact(item, _depth + 1) for item in value]
        if isinstance(value, str):
            return self.scrub(value)
        return value

    def scrub(self, text: str) -> str:
        """Return *text* without the values of hidden keys (`token=…`) and the passwords of URLs."""
        # PERF: without one of these three there is neither a key's value nor user information.
        if "=" not in text and ":" not in text:
            return text
        if self._pattern is not None and self._mentions(text):
            text = self._pattern.sub(rf"\g<key>{HIDDEN}", text)
        if "://" in text:
            text = _USER_INFO.sub(rf"\1:{HIDDEN}@", text)
        return text

    def _mentions(self, text: str) -> bool:
        """Return whether a word is in *text* at all.

        PERF: the pattern takes ten times as long to find nothing (benchmarks/tracing.py).
        """
        if not text.isascii():
            return True
        plain = text.lower().translate(_IGNORED)
        return any(word in plain for word in self._words)


def _plain(key: str) -> str:
    return key.lower().translate(_IGNORED)

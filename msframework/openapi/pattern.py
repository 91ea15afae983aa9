"""Patterns of the texts that fields take and send, in the syntax that every tool reads.

ECMA-262, Python, Go's RE2, Java and Rust agree on this syntax: no look-around, no `\\d` (which
is any script's digit in Python), no `\\u` (which Go does not know). Runs at start-up.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from marshmallow import fields, validate

from msframework.schemas.columns import Base64, Digits
from msframework.schemas.storable import Storable
from msframework.types import Field, JSONObject

NO_NUL: Final = r"^[^\x00]*$"
_YEAR: Final = "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])"
_DAY: Final = (
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)"
    "|02-(?:0[1-9]|[12][0-9]))"
)
_CLOCK: Final = r"(?:[01][0-9]|2[0-3]):[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,6})?)?"
TIME: Final = f"^{_CLOCK}$"
LOCAL_TIME: Final = f"^{_YEAR}-{_DAY}T{_CLOCK}$"
BASE64: Final = "^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$"
_NUMBER: Final = r"-?[0-9]+(?:\.[0-9]+)?"
_SPECIAL: Final = "NaN|-?Infinity"
_NEVER_NUL: Final = ("binary", "date", "date-time", "ipv4", "ipv6", "uuid")
_OUTSIDE: Final = re.compile(r"\[\^[^\]]*\\x00[^\]]*\]")  # a class that leaves NUL out
_MAY_BE_NUL: Final = re.compile(r"\[\^|\\[DWS0cux]|\x00")
_ONE_OF: Final = re.compile(r"\\.|\[[^\]]*\]")  # an escape, or a class
_GROUP: Final = re.compile(r"\([^()]*\)")


def kind_pattern(field: Field) -> str | None:
    """Return the pattern of the text of *field*; `None` where its type says enough."""
    if isinstance(field, fields.Decimal):
        return _decimal(field)
    if getattr(field, "format", None) not in (None, "iso", "iso8601"):
        return None
    if isinstance(field, fields.Time):
        return TIME
    if isinstance(field, fields.NaiveDateTime):
        return LOCAL_TIME
    if isinstance(field, fields.URL):
        return _address(field)
    return BASE64 if isinstance(field, Base64) else None


def with_patterns(patterns: Iterable[str]) -> JSONObject:
    """Return the keywords that ask for all of *patterns*."""
    listed = list(dict.fromkeys(patterns))
    if NO_NUL in listed and any(excludes_nul(text) for text in listed if text != NO_NUL):
        listed.remove(NO_NUL)
    found: JSONObject = {"pattern": listed[0]} if listed else {}
    if len(listed) > 1:
        found["allOf"] = [{"pattern": text} for text in listed[1:]]
    return found


def without_nul(schema: JSONObject) -> JSONObject:
    """Return *schema*, of a place where no text with NUL is taken, with that said."""
    if schema.get("type") == "array" and isinstance(schema.get("items"), dict):
        return {**schema, "items": without_nul(schema["items"])}
    kinds = schema.get("type")
    is_text = kinds == "string" or (isinstance(kinds, list) and "string" in kinds)
    if not is_text or "enum" in schema or schema.get("format") in _NEVER_NUL:
        return schema
    return {**schema, **with_patterns((*given_patterns(schema), NO_NUL))}


def given_patterns(schema: JSONObject) -> list[str]:
    """Return the patterns that *schema* asks for already."""
    found = [schema["pattern"]] if "pattern" in schema else []
    return found + [
        part["pattern"] for part in schema.get("allOf", ()) if list(part) == ["pattern"]
    ]


def refuses_nul(field: Field) -> bool:
    """Whether a validator of *field* refuses text with NUL."""
    return any(isinstance(validator, Storable) for validator in field.validators)


def excludes_nul(pattern: str) -> bool:
    """Whether no text with NUL matches *pattern*, as far as that is plain to see."""
    if not (pattern.startswith("^") and pattern.endswith("$")) or pattern.endswith(r"\$"):
        return False
    text = _OUTSIDE.sub("", pattern[1:-1])
    if _MAY_BE_NUL.search(text):
        return False
    text = _ONE_OF.sub("", text)
    while (shorter := _GROUP.sub("", text)) != text:
        if "." in text:
            return False
        text = shorter
    return "." not in text and "|" not in text


def _decimal(field: fields.Decimal) -> str:
    digits = next((item for item in field.validators if isinstance(item, Digits)), None)
    number = _NUMBER
    if digits is not None:
        whole = f"0*[0-9]{{1,{digits.whole}}}" if digits.whole else "0+"
        places = rf"(?:\.[0-9]{{1,{digits.places}}}0*)?" if digits.places else r"(?:\.0+)?"
        number = f"-?{whole}{places}"
    return f"^(?:{number}|{_SPECIAL})$" if field.allow_nan else f"^{number}$"


def _address(field: fields.URL) -> str | None:
    checks = [item for item in field.validators if isinstance(item, validate.URL)]
    if not checks or any(item.relative for item in checks):
        return None
    schemes = "|".join(sorted(map(re.escape, checks[0].schemes)))
    return rf"^(?:{schemes})://[^\s\x00]+$"

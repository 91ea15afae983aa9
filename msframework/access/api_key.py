"""`APIKey`: authenticates callers by a key in a header; the service stores only its hash.

Made at start-up; `authenticate` runs per request.
"""

from __future__ import annotations

import hmac
import logging
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, ClassVar, Final

from msframework.access.authenticator import Authenticator
from msframework.access.challenge import build_challenge
from msframework.access.source import FindPrincipal, PrincipalSource
from msframework.exceptions import ImproperlyConfigured, MalformedJSON, Unauthorized
from msframework.headers import TOKEN
from msframework.principal import Principal
from msframework.problem import Problem
from msframework.serving.request import Request
from msframework.strict_json import parse

MIN_KEY_LENGTH: Final = 22  # characters of base64 that 128 random bits take
MAX_KEY_LENGTH: Final = 512
HASH_FORM: Final = '"sha256:" and 64 hexadecimal digits'
MAKE_ONE: Final = "`manage.py makekey` makes a key, and prints it once with its hash."
_PREFIX: Final = "sha256:"
_is_hash = re.compile(r"sha256:[0-9a-f]{64}").fullmatch
_is_token = re.compile(TOKEN).fullmatch
_is_scope = re.compile(r"[!#-\[\]-~]+").fullmatch  # RFC 6749, 3.3
_is_key = re.compile(rf"[!-~]{{1,{MAX_KEY_LENGTH}}}").fullmatch
_ELSEWHERE: Final = frozenset(("authorization", "cookie", "host", "proxy-authorization"))

logger = logging.getLogger("msframework.credentials")


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """One key of a caller: its hash, its scopes, and when it expires.

    Attributes:
        hash: `sha256:` and 64 hexadecimal digits, as `hash_key` returns it.
        scopes: the scopes of a principal that comes with this key.
        until: the moment from which the key is refused, with its zone; ISO 8601 where it is text.
    """

    hash: str = field(repr=False)
    scopes: Collection[str] = ()
    until: datetime | str | None = None


# The keys of one caller: hashes alone, entries, or objects of JSON with the names of an entry.
KeyForms = KeyEntry | str | Mapping[str, Any] | Sequence["KeyEntry | str | Mapping[str, Any]"]


def hash_key(key: str) -> str:
    """Return the hash of *key*, an API key, to be stored.

    It is SHA-256, which is fast: a key has at least 128 random bits and cannot be guessed, so the
    slow hash of passwords is not needed.

    Raises:
        ValueError: *key* is too short for 128 random bits, too long, or no header can carry it.
    """
    if _is_key(key) is None or len(key) < MIN_KEY_LENGTH:
        raise ValueError(
            f"an API key has {MIN_KEY_LENGTH} to {MAX_KEY_LENGTH} visible ASCII characters, all "
            "chosen at random; secrets.token_urlsafe(32) makes one"
        )
    return _digest(key)


def _digest(key: str) -> str:
    return _PREFIX + sha256(key.encode("ascii")).hexdigest()


class APIKey(Authenticator):
    """Authenticates callers by the key in a header.

    Args:
        keys: a mapping from the name of each caller to the hash of its key, to a `KeyEntry`, or to
            a list of these, all of them valid; or the same as the text of a JSON object.
        header: the name of the header.
        lookup: `async lookup(digest) -> Principal | None`, for keys that are stored in a table.
            The digest has the form of `hash_key`. It may also take `request`.
        realm: the realm of the challenge (RFC 9110, 11.5).

    Raises:
        ImproperlyConfigured: with every mistake in the keys; no key is shown.
    """

    header: str

    def __init__(
        self,
        keys: Mapping[str, KeyForms] | str | None = None,
        header: str = "X-API-Key",
        *,
        lookup: FindPrincipal | None = None,
        realm: str = "api",
    ) -> None:
        if keys is None and lookup is None:
            raise ImproperlyConfigured(
                Problem("APIKey", "there is nothing to know a key by", "keys or lookup", MAKE_ONE)
            )
        _check_header(header)
        self.header = header.lower()
        self.scheme = {"type": "apiKey", "in": "header", "name": header}
        self.challenge = build_challenge("ApiKey", realm=realm, header=header)
        self._keys: Final = KeyReader().read({} if keys is None else keys)
        self._source: Final = (
            None if lookup is None else PrincipalSource(lookup, "APIKey: lookup", ("digest",))
        )

    async def authenticate(self, request: Request) -> Principal | None:
        """Return the caller whose key *request* has; `None` where it has none.

        Raises:
            Unauthorized: the key is unknown, expired, malformed, or sent twice.
        """
        key = request.fields.get(self.header)
        if key is None:
            return None
        if request.repeats and len(request.headers.getall(self.header)) > 1:
            raise Unauthorized("the API key was sent more than once")
        if _is_key(key) is None:
            raise _wrong()
        digest = _digest(key)
        # NOTE: a dict compares keyed 64-bit hashes before texts, so its time says nothing of how
        # much of a digest is like a stored one. It would not help a guesser: nobody can choose the
        # digest of a key, and no digest leads to a key.
        stored = self._keys.get(digest)
        if stored is not None and hmac.compare_digest(stored.digest, digest):
            return self._welcome(stored, key)
        found = None
        if self._source is not None and len(key) >= MIN_KEY_LENGTH:
            found = await self._source.find(request, digest)
        if found is None:
            raise _wrong()
        return found

    def _welcome(self, stored: StoredKey, key: str) -> Principal:
        """Return the principal of a known key, unless it has expired or is too short."""
        if len(key) < MIN_KEY_LENGTH:
            logger.warning(
                "the API key of %r has less than %s characters and is refused: it can be guessed",
                stored.name,
                MIN_KEY_LENGTH,
            )
            raise _wrong()
        if stored.until is not None and datetime.now(UTC) >= stored.until:
            raise _wrong()
        return Principal(stored.name, stored.scopes)


def _wrong() -> Unauthorized:
    return Unauthorized("the API key is wrong")


def _check_header(header: object) -> None:
    if not isinstance(header, str) or _is_token(header) is None or header.lower() in _ELSEWHERE:
        raise ImproperlyConfigured(
            Problem(
                "APIKey",
                f"header is {header!r}",
                "the name of a header of its own",
                "Write X-API-Key, for instance; Authorization is for schemes such as Bearer.",
            )
        )


@dataclass(frozen=True, slots=True)
class StoredKey:
    """One key, as it is looked up by its digest."""

    name: str
    digest: str = field(repr=False)
    scopes: frozenset[str]
    until: datetime | None


class KeyReader:
    """Reads the keys of an `APIKey` and collects what is wrong with them."""

    ENTRY_NAMES: ClassVar[frozenset[str]] = frozenset(("hash", "scopes", "until"))

    def __init__(self) -> None:
        self.problems: list[str] = []

    def read(self, keys: Mapping[str, KeyForms] | str) -> dict[str, StoredKey]:
        """Return the keys by their digests.

        Raises:
            ImproperlyConfigured: with every mistake.
        """
        if isinstance(keys, str):
            keys = _parse(keys)
        found: dict[str, StoredKey] = {}
        if isinstance(keys, Mapping):
            for number, (name, forms) in enumerate(keys.items(), 1):
                for form in forms if isinstance(forms, list | tuple) else (forms,):
                    stored = self._read_one(number, name, form)
                    if stored is None:
                        continue
                    if stored.digest in found:
                        where = f"APIKey: keys[{name!r}]"
                        advice = "Give each caller a key of its own."
                        self._add(where, "a hash stands here a second time", "", advice)
                    found[stored.digest] = stored
        else:
            self._add("APIKey", f"keys is an object of {type(keys).__name__}", "a dict", MAKE_ONE)
        if self.problems:
            raise ImproperlyConfigured.of(self.problems)
        return found

    def _read_one(self, number: int, name: object, form: object) -> StoredKey | None:
        """Return the key of one *form*; `None` where it is wrong."""
        # NOTE: whoever turns name and key around would see a key here, so an entry has a number.
        where = f"APIKey: entry {number} of keys"
        if isinstance(form, Mapping):
            form = self._read_mapping(where, form)
        if isinstance(form, str):
            form = KeyEntry(form)
        if not isinstance(form, KeyEntry) or not isinstance(form.hash, str):
            self._add(where, "the key of a caller is no text and no KeyEntry", HASH_FORM, MAKE_ONE)
            return None
        digest = form.hash.lower()
        if _is_hash(digest) is None:
            found = "it holds no hash of a key (which is not shown, as it may be the key)"
            advice = f"The name of the caller comes first. {MAKE_ONE}"
            self._add(where, found, HASH_FORM, advice)
            return None
        if not isinstance(name, str) or not name:
            self._add(where, "the caller has no name", "a text that is not empty", "")
            return None
        where = f"APIKey: keys[{name!r}]"
        scopes, until = self._read_scopes(where, form.scopes), self._read_end(where, form.until)
        return StoredKey(name, digest, scopes, until)

    def _read_mapping(self, where: str, form: Mapping[str, Any]) -> KeyEntry | None:
        if "hash" not in form or not form.keys() <= self.ENTRY_NAMES:
            return None
        return KeyEntry(form["hash"], form.get("scopes", ()), form.get("until"))

    def _read_scopes(self, where: str, scopes: object) -> frozenset[str]:
        """Return the scopes of a key."""
        listed = scopes if isinstance(scopes, Collection) and not isinstance(scopes, str) else [""]
        if all(isinstance(each, str) and _is_scope(each) for each in listed):
            return frozenset(listed)
        expected = 'a list of scopes such as ("invoices:read",), none with a blank in it'
        self._add(where, f"scopes is {scopes!r}", expected, "")
        return frozenset()

    def _read_end(self, where: str, until: object) -> datetime | None:
        if isinstance(until, str):
            with suppress(ValueError):
                until = datetime.fromisoformat(until)
        if until is None or (isinstance(until, datetime) and until.tzinfo is not None):
            return until
        expected = 'a moment with its zone such as "2030-01-31T12:00:00Z"'
        self._add(where, f"until is {until!r}", expected, "")
        return None

    def _add(self, where: str, found: str, expected: str, advice: str) -> None:
        self.problems.append(Problem(where, found, expected, advice))


def _parse(text: str) -> Any:
    """Return the value of the JSON *text*; a message does not repeat text that is no JSON."""
    try:
        return parse(text.encode(errors="replace"))
    except MalformedJSON:
        problem = Problem(
            "APIKey",
            "keys is a text that is no JSON",
            'an object such as {"billing": "sha256:…"}',
            MAKE_ONE,
        )
        raise ImproperlyConfigured(problem) from None

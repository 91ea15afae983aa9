"""Who may call, for every way to run the services: one key signs the tokens and verifies them.

Each service verifies the tokens of the accounts service by itself. The key is given as the variable
ACCESS_KEY, or as the name of its file in ACCESS_KEY_FILE; at a desk it is made at the first run.
"""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from msframework.access import JWTIssuer
from msframework.exceptions import ImproperlyConfigured
from msframework.problem import Problem

SITE = "https://msframework.example"  # who issues the tokens, and whom they are for
_DESK = Path(__file__).resolve().parents[1] / ".msframework"  # beside the embedded PostgreSQL


def build_issuer(key: str) -> JWTIssuer:
    """Return what makes access tokens; its `bearer()` is what verifies them."""
    return JWTIssuer(key, "HS256", issuer=SITE, audience=SITE)


def find_key() -> str | None:
    """Return the key that the environment gives, or None."""
    place = os.environ.get("ACCESS_KEY_FILE")
    return Path(place).read_text().strip() if place else os.environ.get("ACCESS_KEY")


def require_key() -> str:
    """Return the key of a deployment; without one there is no default."""
    key = find_key()
    if not key:
        raise ImproperlyConfigured(
            Problem(
                "environment",
                "ACCESS_KEY is not set",
                "the key that signs access tokens, the same for all services",
                "Make one with `openssl rand -hex 32`, and name its file in ACCESS_KEY_FILE.",
            )
        )
    return key


def desk_key() -> str:
    """Return the key of this checkout, made at the first run: all services at the desk share it."""
    if key := find_key():
        return key
    place = _DESK / "access.key"
    try:
        if not place.exists():
            make_key(place)
        return place.read_text()
    except OSError as exc:
        found = f"the desk's key {str(place)!r} cannot be made or read ({exc.strerror})"
        advice = "Give a key of your own: ACCESS_KEY, or ACCESS_KEY_FILE."
        raise ImproperlyConfigured(Problem("settings", found, advice=advice)) from exc


def make_key(place: Path) -> None:
    """Write a new key to *place*, unless another process does so at the same time."""
    place.parent.mkdir(exist_ok=True)
    draft = place.with_name(f"{place.name}.{secrets.token_hex(8)}")
    with open(os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as file:
        file.write(secrets.token_hex(32))
    with suppress(FileExistsError):
        os.link(draft, place)
    draft.unlink()

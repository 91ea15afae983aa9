"""What tests of tokens share: requests with a header, tokens made by hand, a clock to set."""

import hmac
import json
from base64 import urlsafe_b64encode
from hashlib import sha256

from sanic.compat import Header

from msframework.access import JWTBearer
from msframework.serving.request import Request

SECRET = b"0123456789abcdef0123456789abcdef"
OTHER = bytes(32)
NOW = 1_800_000_000
CLAIMS = {"iss": "https://issuer", "sub": "ada", "aud": "notes", "exp": NOW + 60}


class SetClock:
    """A clock that stands where it was set."""

    def __init__(self, now=NOW):
        self.now = now

    def __call__(self):
        return self.now


def request_with(*values):
    """Return a request with these `Authorization` headers."""
    headers = Header([("authorization", value) for value in values])
    return Request(b"/", headers, "1.1", "GET", None, None)


def bearing(token):
    """Return a request that brings *token*."""
    return request_with(f"Bearer {token}")


def encode(part):
    """Return *part*, bytes or whatever JSON has, in base64url."""
    text = part if isinstance(part, bytes) else json.dumps(part).encode()
    return urlsafe_b64encode(text).rstrip(b"=").decode()


def forge(payload=CLAIMS, header=None, *, secret=SECRET, **changes):
    """Return a token with a right HMAC of *secret*, whatever stands in it.

    Args:
        changes: claims that are added or replaced; those that are `...` are taken out.
    """
    if isinstance(payload, dict):
        payload = {name: value for name, value in (payload | changes).items() if value is not ...}
    head = {"alg": "HS256"} if header is None else header
    signed = f"{encode(head)}.{encode(payload)}"
    return f"{signed}.{encode(hmac.digest(secret, signed.encode(), sha256))}"


def make_bearer(**options):
    """Return the authenticator of the tokens that `forge` makes."""
    defaults = {"key": SECRET, "algorithm": "HS256", "audience": "notes", "clock": SetClock()}
    if {"keys", "jwks"} & options.keys():
        del defaults["key"], defaults["algorithm"]
    bearer = JWTBearer(**defaults | {"issuer": "https://issuer"} | options)
    bearer.name = "token"
    return bearer

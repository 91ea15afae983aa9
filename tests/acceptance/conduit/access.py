"""Who calls Conduit: `Authorization: Token …` with a JWT."""

import os
import time

import jwt

from msframework import Principal, Unauthorized
from msframework.access import Authenticator

_SECRET = os.environ.get("CONDUIT_SECRET", "")


class TokenAuthenticator(Authenticator):
    scheme = {"type": "apiKey", "in": "header", "name": "Authorization"}
    challenge = "Token"
    header = "authorization"

    async def authenticate(self, request):
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        if kind != "Token":
            return None
        try:
            return Principal(jwt.decode(token, _SECRET, ["HS256"])["sub"])
        except jwt.InvalidTokenError as exc:
            raise Unauthorized from exc


def make_token(user_id):
    """Return a token of a user for a day."""
    return jwt.encode({"sub": str(user_id), "exp": int(time.time()) + 86400}, _SECRET, "HS256")

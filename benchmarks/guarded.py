"""Settings of the measured service with everything guarded: each request needs a token.

access.py makes them.
"""

from benchmarks.settings import *  # noqa: F403
from msframework.access import Authenticated, JWTIssuer

issuer = JWTIssuer(
    "no secret: it is the one of the benchmarks",
    "HS256",
    issuer="https://accounts.example",
    audience="benchmark",
    lifetime=24 * 3600,
)
AUTHENTICATORS = {"token": issuer.bearer()}
GUARDS = (Authenticated(),)

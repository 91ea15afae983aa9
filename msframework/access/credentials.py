"""The one `Authorization` header of a request, as its scheme and value. Runs per request.

Every authenticator of this header reads it here, so that all refuse the same malformed ones.
"""

from __future__ import annotations

import re
from typing import Final

from msframework.exceptions import Unauthorized
from msframework.serving.request import Request

# Of the header's value, in characters; a head may be longer.
MAX_CREDENTIALS: Final = 8192
MALFORMED: Final = "the Authorization header is malformed; expected a scheme and its credentials"
# RFC 9110, 11.4: auth-scheme 1*SP ( token68 / auth-params ); of the latter no more is read here
# than that it is printable ASCII.
_CREDENTIALS: Final = re.compile(
    r"([!#$%&'*+\-.^_`|~0-9A-Za-z]+) +([\x21-\x7e](?:[\x20-\x7e\t]*[\x21-\x7e])?)"
).fullmatch


def read_authorization(request: Request) -> tuple[str, str] | None:
    """Return the lower-case scheme and the credentials of *request*.

    Returns:
        `None` where it has no `Authorization` header (RFC 9110, 11.6.2).

    Raises:
        Unauthorized: the header is repeated, too long, or malformed.
    """
    value = request.fields.get("authorization")
    if value is None:
        return None
    if request.repeats and len(request.headers.getall("authorization")) > 1:
        raise Unauthorized("there is more than one Authorization header")
    if len(value) > MAX_CREDENTIALS:
        raise Unauthorized(f"the Authorization header is longer than {MAX_CREDENTIALS} characters")
    found = _CREDENTIALS(value)
    if found is None:
        raise Unauthorized(MALFORMED)
    scheme, credentials = found.groups()
    return scheme.lower(), credentials

"""The `Link` header of a page: where the pages beside it are (RFC 8288). Runs per request.

Each link is a query alone (`<?page=2&per_page=10>`), a relative reference that keeps the path of
the request's URL (RFC 3986, 5.2.2): so it holds behind a proxy that changes the host, the scheme or
the start of the path.
"""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, unquote_plus

from msframework.headers import OwnHeaders

# Proxies refuse an answer whose whole head is longer than their buffer, often 4096 bytes.
LONGEST_LINKS: Final = 2048
_SAFE: Final = "-._~!$&'()*+,;=:@/?%"
_is_safe: Final = re.compile(r"[A-Za-z0-9\-._~!$&'()*+,;=:@/?%]*").fullmatch


class PageLinks(NamedTuple):
    """The values of the parameter that leads to other pages; `None` where there is no such page.

    Attributes:
        name: the parameter's.
        first: an empty text is the page without the parameter.
    """

    name: str
    first: str | int | None = None
    prev: str | int | None = None
    next: str | int | None = None
    last: str | int | None = None


def link_pages(query: str, links: PageLinks, own: OwnHeaders | None) -> OwnHeaders | None:
    """Return the headers *own* of an answer to a request with *query*, and `Link`.

    Of links that would make the header too long the first, and then the previous, are left out.
    """
    name, first, prev, next_, last = links
    rest = _leave_out(query, name) if query else ""
    found = []
    size = LONGEST_LINKS
    for relation, value in (("next", next_), ("prev", prev), ("first", first), ("last", last)):
        if value is None:
            continue
        if value == "":
            link = f'<?{rest[1:]}>; rel="{relation}"'
        else:
            link = f'<?{name}={value}{rest}>; rel="{relation}"'
        size -= len(link) + 2
        if size < 0:
            break
        found.append(link)
    return OwnHeaders.add("link", ", ".join(found), own) if found else own


def _leave_out(query: str, name: str) -> str:
    """Return the parameters of *query* but for *name*, each with a `&` before it."""
    start = name + "="
    kept = ""
    for part in query.split("&"):
        if part and not part.startswith(start) and unquote_plus(part.partition("=")[0]) != name:
            kept += "&" + part
    return kept if _is_safe(kept) else quote(kept, safe=_SAFE)
